// From a base commit and one moment of upstream to the commit that is validated and, perhaps, lands.
import type { Repository } from "../git/git.ts";
import { HomelabError } from "../base/errors.ts";
import { didYouMean } from "../protocol/did-you-mean.ts";
import { checkLockChange, type LockFinding } from "../nix/lock/flake-lock-check.ts";
import { diffLocks, movedBy, updatableInputs, type InputChange } from "../nix/lock/flake-lock-diff.ts";
import { graftLock } from "../nix/lock/flake-lock-graft.ts";
import { parseFlakeLock, printFlakeLock, requireFollowed, type FlakeLock } from "../nix/lock/flake-lock.ts";
import type { Commit } from "../protocol/names.ts";
import { updateMessage } from "./commit-message.ts";

export interface Candidate {
  readonly commit: Commit;
  readonly base: Commit;
  /** Inputs of the flake itself that differ from the base. */
  readonly changes: readonly InputChange[];
  /** In what its lock is more than other states of the same inputs. */
  readonly findings: readonly LockFinding[];
}

export interface CandidateOptions {
  readonly repository: Pick<Repository, "readFile" | "facts" | "commit">;
  /** Where flake.lock is in the repository. */
  readonly lockPath: string;
  readonly author: { readonly name: string; readonly email: string };
  /** The host names of forges that are Gitea, for links to what changed. */
  readonly giteaHosts: readonly string[];
}

/** What an update is made of: one moment of upstream for a base. */
export interface LockMoment {
  /**
   * The base's lock as far as flake.nix lets it be: with what that has since and without what it has no more. In most
   * cases it is the base's lock.
   */
  readonly fitted: string;
  /** With all inputs as upstream has them. */
  readonly full: string;
}

/**
 * The base with some inputs taken from the complete update. The same base and locks give the same commit.
 *
 * @param inputs of the flake itself; all that the update changed without it, as Nix itself wrote them
 * @returns undefined when nothing would change.
 * @throws HomelabError `failed` `FLAKE_LOCK_UNFIT` when these inputs cannot be without others.
 */
export async function makeCandidate(
  { repository, lockPath, author, giteaHosts }: CandidateOptions,
  base: Commit,
  { fitted, full }: LockMoment,
  inputs: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<Candidate | undefined> {
  const baseText = await repository.readFile(base, lockPath, signal);
  const text = inputs === undefined ? full : lockWith(fitted, full, inputs);
  const lock = parseFlakeLock(text);
  requireFollowed(lock);
  const before = baseText === undefined ? undefined : parseFlakeLock(baseText);
  const changes = diffLocks(before ?? emptyLock(lock), lock, giteaHosts);
  if (changes.length === 0) return undefined;
  const names = changes.map(({ path }) => path[0] ?? "");
  const message = updateMessage({ base, inputs: names, details: changes.flatMap(describeChange) });
  const { committedAt } = await repository.facts(base, signal);
  const date = dateOfCandidate(committedAt, changes);
  const commit = await repository.commit(
    { parent: base, files: new Map([[lockPath, text]]), message, author, date },
    signal,
  );
  const findings = before === undefined ? [] : checkLockChange(before, lock);
  return { commit, base, changes, findings };
}

/** The lock that fits the base with some inputs from the complete update. */
function lockWith(fitted: string, full: string, inputs: readonly string[]): string {
  if (inputs.length === 0) return fitted;
  return printFlakeLock(graftLock(parseFlakeLock(fitted), parseFlakeLock(full), new Set(inputs)));
}

/** Inputs of the flake itself that upstream has moved. What flake.nix demands of the lock is not among them. */
export const movedInputs = ({ fitted, full }: LockMoment): readonly string[] =>
  diffLocks(parseFlakeLock(fitted), parseFlakeLock(full)).map(({ path }) => path[0] ?? "");

const emptyLock = (full: FlakeLock): FlakeLock => ({
  version: full.version,
  root: full.root,
  nodes: { [full.root]: {} },
});

/**
 * That of its newest input, so that it does not depend on when it is made; but never before its parent's, or repos
 * that have ours as an input would see it go back in time.
 */
function dateOfCandidate(parent: Date, changes: readonly InputChange[]): Date {
  const states = changes.flatMap(({ after, below = [] }) => [after, ...below.map((each) => each.after)]);
  const seconds = states.map((state) => state?.lastModified ?? 0);
  return new Date(Math.max(parent.getTime(), ...seconds.map((each) => each * 1000)));
}

/** `nixpkgs: 1a2b3c4 → 5d6e7f8 (2026-11-20)`; where an input stays as it is, a line for each that moved below it. */
function describeChange(change: InputChange): readonly string[] {
  const moved = movedBy(change);
  if (moved.length === 0) return [`${change.path.join("/")}: declared otherwise`];
  return moved.map(({ path, before, after }) => {
    const { lastModified } = after ?? {};
    const date =
      lastModified === undefined ? "" : ` (${new Date(lastModified * 1000).toISOString().slice(0, 10)})`;
    return `${path.join("/")}: ${shortState(before)} → ${shortState(after)}${date}`;
  });
}

const shortState = (state: InputChange["before"]): string =>
  state?.rev?.slice(0, 7) ?? state?.narHash?.slice(0, 15) ?? "none";

/** @throws HomelabError `usage` `UNKNOWN_FLAKE_INPUT` for names that the flake does not have, or that follow others. */
export function requireInputs(wanted: readonly string[], lock: string): void {
  const known = updatableInputs(parseFlakeLock(lock));
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = didYouMean(unknown, known);
  throw new HomelabError(
    "usage",
    `the flake has no input ${JSON.stringify(unknown.slice(0, 80))} of its own`,
    {
      code: "UNKNOWN_FLAKE_INPUT",
      hint: near === undefined ? `it has ${known.join(", ")}` : `did you mean ${near}?`,
    },
  );
}
