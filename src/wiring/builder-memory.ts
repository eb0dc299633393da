// What a builder remembers in small files, which only save work: one that is missing or damaged is as good as none.
import * as v from "valibot";
import { createJsonFile } from "../base/files/json-file.ts";
import type { PolledCommits } from "../builder/intake/poll-repos.ts";
import type { Log } from "../base/log.ts";
import {
  createFailedHooks,
  keptDays,
  type FailedHook,
  type FailedHooks,
} from "../builder/lanes/failed-hooks.ts";
import {
  historyBounds,
  recordDuration,
  usualDuration,
  type DurationHistory,
  type UsualDurations,
} from "../builder/lanes/usual-durations.ts";
import { Commit, RepoName, StorePath } from "../protocol/names.ts";

const duration = v.pipe(v.number(), v.minValue(0));

const StoredDurations = v.pipe(
  v.array(v.tuple([v.string(), v.pipe(v.array(duration), v.maxLength(historyBounds.durations))])),
  v.maxLength(historyBounds.names),
);

/** Without them there are no estimates. */
export async function createUsualDurations(path: string): Promise<UsualDurations> {
  const file = createJsonFile(path, StoredDurations);
  const history: DurationHistory = new Map(await file.read());
  return {
    of: (derivation) => usualDuration(history, derivation),
    async learn(took) {
      for (const [derivation, milliseconds] of took) recordDuration(history, derivation, milliseconds);
      await file.write([...history].map(([name, durations]) => [name, [...durations]]));
    },
  };
}

const StoredCommits = v.record(RepoName, Commit);

/** Without them the heads are built again in a batch build, which finds them built. */
export async function createPolledCommits(path: string): Promise<PolledCommits> {
  const file = createJsonFile(path, StoredCommits);
  const commits = new Map<string, Commit>(Object.entries((await file.read()) ?? {}));
  return {
    get: (repo) => commits.get(repo),
    async set(repo, commit) {
      commits.set(repo, commit);
      await file.write(Object.fromEntries(commits));
    },
  };
}

const StoredHooks = v.array(
  v.object({
    drvPath: StorePath,
    reason: v.string(),
    lines: v.array(v.string()),
    at: v.pipe(v.number(), v.minValue(0)),
  }),
);

/** Without them nobody is reminded of a post-build-hook that failed in an earlier build or before a restart. */
export async function createStoredFailedHooks(path: string, now: Date, log: Log): Promise<FailedHooks> {
  const file = createJsonFile(path, StoredHooks);
  const since = now.getTime() - keptDays * 86_400_000;
  const known = ((await file.read()) ?? []).filter(({ at }) => at >= since);
  const save = (all: readonly FailedHook[]): void => {
    file
      .write(all.map((hook) => ({ ...hook, lines: [...hook.lines] })))
      .catch((error: unknown) =>
        log.warn({ err: error, path }, "failed post-build-hooks are not remembered"),
      );
  };
  return createFailedHooks(known, save);
}
