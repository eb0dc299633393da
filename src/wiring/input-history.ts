// The revisions of flake inputs: git reads their histories, and Nix locks them.
import { join } from "node:path";
import * as v from "valibot";
import { HomelabError } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import { createRevisionReader } from "../git/create-revision-reader.ts";
import type { CommitRelation, Repository, RevisionRange, RevisionReader } from "../git/git.ts";
import { compareUrl } from "../nix/lock/compare-url.ts";
import {
  type FlakeLock,
  type FlakeNode,
  type FlakeReference,
  nodeAt,
  parseFlakeLock,
  printFlakeLock,
  rootInputs,
} from "../nix/lock/flake-lock.ts";
import { changedPlaces } from "../nix/lock/flake-lock-check.ts";
import { historyOf, lockWithRevision } from "../nix/lock/input-revision.ts";
import { usableTime } from "../nix/lock/input-time.ts";
import type { Locker } from "../nix/locker.ts";
import type { Exec } from "../process/exec.ts";
import { Commit, type RepoName } from "../protocol/names.ts";
import type { CommitPair, InputHistory, InputRevisions } from "../update/search/bisect-input.ts";
import { credentialsFor } from "./git-access.ts";
import type { Environment } from "../base/environment.ts";

export interface InputHistoryOptions {
  readonly config: Pick<Config, "repos" | "inputs">;
  readonly repo: RepoName;
  readonly repository: Repository;
  /** Where the flake's directory is in the repository; undefined for its root. */
  readonly directory: string | undefined;
  /** `<state>/histories/<repo>.git` is there while a history is read. */
  readonly stateDirectory: string;
  readonly giteaHosts: readonly string[];
  readonly nix: Pick<Locker, "lockRevision">;
  readonly exec: Exec;
  readonly environment: Environment;
}

const lockTimeoutMs = 10 * 60_000;
const directionMs = 2 * 60_000;
/** Clocks of committers differ. */
const dayMs = 24 * 3_600_000;

export function createInputHistory(options: InputHistoryOptions): InputHistory {
  const { config, repo, repository, directory, stateDirectory, giteaHosts, nix, exec, environment } = options;
  const lockPath = directory === undefined ? "flake.lock" : `${directory}/flake.lock`;

  async function lockOf(commit: Commit, signal: AbortSignal): Promise<FlakeLock | undefined> {
    const text = await repository.readFile(commit, lockPath, signal);
    return text === undefined ? undefined : parseFlakeLock(text);
  }

  async function lockedAt(
    commit: Commit,
    input: string,
    signal: AbortSignal,
  ): Promise<FlakeReference | undefined> {
    const lock = await lockOf(commit, signal);
    return lock === undefined ? undefined : inputNode(lock, input)?.locked;
  }

  async function readerOf(input: string, { base, candidate }: CommitPair, signal: AbortSignal) {
    const [before, after] = [await lockedAt(base, input, signal), await lockedAt(candidate, input, signal)];
    if (before === undefined || after === undefined) return unreachable("it is a new input");
    const history = historyOf(after);
    if (history === undefined)
      return unreachable(`git can reach no history of an input of the type ${after.type}`);
    const [from, to] = [commitOf(before), commitOf(after)];
    if (from === undefined || to === undefined || changedPlaces(before, after).length > 0) {
      return unreachable("it was at another place before");
    }
    const reader = createRevisionReader({
      exec,
      url: history.gitUrl,
      directory: join(stateDirectory, "histories", `${repo}.git`),
      environment,
      credentials: credentialsFor(config, history.gitUrl, environment),
    });
    // Also where it went back in time, and to the beginning if the time is unknown.
    const oldest = Math.min(usableTime(before.lastModified) ?? 0, usableTime(after.lastModified) ?? Infinity);
    const since = new Date(Math.max(0, oldest * 1000 - dayMs));
    return { type: "found", before, after, reader, range: { from, to, since } } as const;
  }

  const relations = new Map<string, CommitRelation>();

  return {
    async direction(input, between, signal) {
      const found = await readerOf(input, between, signal);
      if (found.type === "unreachable") return found;
      const { range, reader, after } = found;
      const key = JSON.stringify([historyOf(after)?.gitUrl, range.from, range.to]);
      const relation = relations.get(key) ?? (await relationWithin(reader, range, signal));
      relations.set(key, relation);
      return relation;
    },

    async revisions(input, between, signal) {
      const at = await readerOf(input, between, signal);
      if (at.type === "unreachable") return at;
      const { before, after, reader, range } = at;
      const found = await reader.between(range, signal);
      if (found.type === "unreachable") return unreachable(`its history cannot be read: ${found.reason}`);
      const linkOf = (good: Commit, bad: Commit): string | undefined =>
        compareUrl({ ...before, rev: good }, { ...after, rev: bad }, giteaHosts);
      return { ...found, old: range.from, compareUrl: linkOf };
    },

    async lockAt(commit, input, rev, signal) {
      const lock = await lockOf(commit, signal);
      const node = lock === undefined ? undefined : inputNode(lock, input);
      const reference = node?.locked === undefined ? undefined : historyOf(node.locked)?.at(rev);
      if (lock === undefined || node === undefined || reference === undefined) {
        throw new HomelabError("failed", `the input ${input} has no revisions to choose from`, {
          code: "INPUT_UPDATE_FAILED",
        });
      }
      await using checkout = await repository.checkOut(commit, signal);
      const at = directory === undefined ? checkout.directory : join(checkout.directory, directory);
      const specification = { input, reference, isFlake: node.flake !== false, timeoutMs: lockTimeoutMs };
      const made = await nix.lockRevision(at, specification, signal);
      if (made.type === "updated") {
        return printFlakeLock(lockWithRevision(lock, parseFlakeLock(made.lock), input, rev));
      }
      const { kind, message, hint, details } = made.failure;
      throw new HomelabError(kind, message, {
        code: "INPUT_UPDATE_FAILED",
        hint,
        cause: details === "" ? undefined : new Error(details),
      });
    },
  };
}

/** An update waits for it, and can do without. */
async function relationWithin(
  reader: RevisionReader,
  range: RevisionRange,
  signal: AbortSignal,
): Promise<CommitRelation> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(directionMs)]);
  try {
    return await reader.relation(range, within);
  } catch (error) {
    if (signal.aborted || !within.aborted) throw error;
    return unreachable(`its history could not be read within ${directionMs / 60_000} minutes`);
  }
}

/** The node of an input of the flake itself; undefined for one that follows another. */
function inputNode(lock: FlakeLock, input: string): FlakeNode | undefined {
  const key = rootInputs(lock)[input];
  return typeof key === "string" ? nodeAt(lock, key) : undefined;
}

function commitOf({ rev }: FlakeReference): Commit | undefined {
  const parsed = v.safeParse(Commit, rev);
  return parsed.success ? parsed.output : undefined;
}

const unreachable = (reason: string): Extract<InputRevisions, { type: "unreachable" }> => ({
  type: "unreachable",
  reason,
});
