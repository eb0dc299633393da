import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { HostName, type RepoName, StorePath } from "../../protocol/names.ts";
import { newestRevisions, revisionName, variantOf } from "../../protocol/overrides.ts";
import { openLineJournal } from "../../base/files/line-journal.ts";
import type {
  CommitMemory,
  EvaluationFailure,
  EvaluationKey,
  EvaluationMemory,
  HostEvaluation,
} from "../evaluator.ts";

/**
 * Changes when what is evaluated, how a result is checked, or the form of these lines changes: older lines are then
 * not read. What is remembered is not checked again.
 */
const formatVersion = 5;

const Result = v.union([
  v.object({
    drvPath: StorePath,
    outPath: StorePath,
    system: v.string(),
    warnings: v.array(v.string()),
  }),
  v.object({
    cause: v.literal("error"),
    message: v.string(),
    details: v.string(),
    warnings: v.optional(v.array(v.string())),
    isOwn: v.literal(true),
  }),
]);

/** One line of the file. `context` is all that decides a result besides the commit. */
const Line = v.variant("type", [
  v.object({ type: v.literal("inventory"), context: v.string(), names: v.array(v.string()) }),
  v.object({ type: v.literal("result"), context: v.string(), host: HostName, result: Result }),
  v.object({ type: v.literal("forgotten"), context: v.string(), host: HostName }),
]);

export interface EvaluationMemoryOptions {
  /** Ours alone: `<directory>/<repo>/<revision>.jsonl`. */
  readonly directory: string;
  readonly nixVersion: string;
  /** Nix's settings that decide a result: see `evaluationDigest`. */
  readonly settings: string;
  readonly log: Log;
  readonly clock?: Clock;
}

/**
 * Evaluations in files, one for each revision of a repo. It is a cache: what cannot be read is evaluated again, and
 * what cannot be written is lost at the next start. Only what `prune` leaves stays in memory.
 */
export function createEvaluationMemory({
  directory,
  nixVersion,
  settings,
  log,
  clock = systemClock,
}: EvaluationMemoryOptions): EvaluationMemory {
  const opened = new Map<string, { readonly file: string; readonly memory: Promise<CommitMemory> }>();
  const fileOf = (repo: RepoName, revision: string): string => join(directory, repo, `${revision}.jsonl`);

  async function load(file: string, context: string): Promise<CommitMemory> {
    const onError = (error: unknown): void =>
      log.warn({ err: error, file }, "evaluations cannot be remembered for the next start");
    // So that what is used counts as new; there is no file yet for a new commit.
    await utimes(file, clock.now(), clock.now()).catch(() => undefined);
    return createCommitMemory(await openLineJournal(file, onError), context);
  }

  return {
    async open(key) {
      const file = fileOf(
        key.repo,
        revisionName({ commit: key.commit, variant: variantOf(key.overrides ?? []) }),
      );
      const context = contextOf(key, nixVersion, settings);
      const name = `${file} ${context}`;
      const known = opened.get(name) ?? { file, memory: load(file, context) };
      opened.set(name, known);
      return known.memory;
    },

    async prune(repo, keepNewest, inUse) {
      const revisions = await revisionsByAge(join(directory, repo));
      const kept = new Set<string>([...newestRevisions(revisions, keepNewest), ...inUse]);
      const keptFiles = new Set([...kept].map((revision) => fileOf(repo, revision)));
      for (const revision of revisions) {
        if (!kept.has(revision)) await rm(fileOf(repo, revision), { force: true });
      }
      for (const [name, { file }] of opened) {
        if (file.startsWith(join(directory, repo, "/")) && !keptFiles.has(file)) opened.delete(name);
      }
    },
  };
}

function createCommitMemory(
  journal: Awaited<ReturnType<typeof openLineJournal>>,
  context: string,
): CommitMemory {
  let names: readonly string[] | undefined;
  const results = new Map<HostName, HostEvaluation | EvaluationFailure>();
  for (const value of journal.values) {
    const parsed = v.safeParse(Line, value);
    if (!parsed.success || parsed.output.context !== context) continue;
    const line = parsed.output;
    if (line.type === "inventory") ({ names } = line);
    else if (line.type === "result") results.set(line.host, line.result);
    else results.delete(line.host);
  }

  return {
    inventory: () => names,
    rememberInventory(found) {
      if (JSON.stringify(found) === JSON.stringify(names)) return;
      names = found;
      journal.append({ type: "inventory", context, names });
    },
    get: (host) => results.get(host),
    remember(host, result) {
      if ("cause" in result && result.isOwn !== true) return;
      if (JSON.stringify(result) === JSON.stringify(results.get(host))) return;
      results.set(host, result);
      journal.append({ type: "result", context, host, result });
    },
    forget(host) {
      if (results.delete(host)) journal.append({ type: "forgotten", context, host });
    },
  };
}

function contextOf(key: EvaluationKey, nixVersion: string, settings: string): string {
  const { allowImportFromDerivation, directory = "", submodulesOrigin, overrides = [] } = key;
  const overridden = overrides
    .map(({ input, directory: at = "", submodulesOrigin: origin }) => [input, at, origin].join(" ").trimEnd())
    .toSorted();
  return JSON.stringify([
    formatVersion,
    nixVersion,
    settings,
    allowImportFromDerivation,
    directory,
    ...(overridden.length === 0 ? [] : [overridden]),
    ...(submodulesOrigin === undefined ? [] : [submodulesOrigin]),
  ]);
}

/** The newest first: when they were last opened or written to. */
async function revisionsByAge(repoDirectory: string): Promise<readonly string[]> {
  const names = await readdir(repoDirectory).catch(() => []);
  const files = await Promise.all(
    names.map(async (name) => {
      const modified = (await stat(join(repoDirectory, name)).catch(() => undefined))?.mtimeMs ?? 0;
      return { revision: name.replace(/\.jsonl$/, ""), modified };
    }),
  );
  return files.toSorted((one, other) => other.modified - one.modified).map(({ revision }) => revision);
}
