// What a builder remembers in small files, which only save work: one that is missing or damaged is as good as none.
import * as v from "valibot";
import { createJsonFile } from "../base/files/json-file.ts";
import type { PolledCommits } from "../builder/intake/poll-repos.ts";
import {
  historyBounds,
  recordDuration,
  usualDuration,
  type DurationHistory,
  type UsualDurations,
} from "../builder/lanes/usual-durations.ts";
import { Commit, RepoName } from "../protocol/names.ts";

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

/** Without them the heads are built again in a batch build, which finds that they are built. */
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
