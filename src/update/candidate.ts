// From a base commit and one moment of upstream to the commit that is validated and, perhaps, lands.
import type { Repository } from "../git/git.ts";
import { HomelabError } from "../base/errors.ts";
import { didYouMean } from "../protocol/did-you-mean.ts";
import { checkLockChange, type LockFinding } from "../nix/lock/flake-lock-check.ts";
import { diffLocks, updatableInputs, type InputChange } from "../nix/lock/flake-lock-diff.ts";
import { graftLock } from "../nix/lock/flake-lock-graft.ts";
import { parseFlakeLock, printFlakeLock, type FlakeLock } from "../nix/lock/flake-lock.ts";
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
  readonly repository: Pick<Repository, "readFile" | "commit">;
  /** Where flake.lock is in the repository. */
  readonly lockPath: string;
  readonly author: { readonly name: string; readonly email: string };
  /** The host names of forges that are Gitea, for links to what changed. */
  readonly giteaHosts: readonly string[];
}

/**
 * The base with some inputs taken from the complete update. The same base and lock give the same commit.
 *
 * @param inputs of the flake itself; all that the update changed without it
 * @returns undefined when nothing would change.
 */
export async function makeCandidate(
  { repository, lockPath, author, giteaHosts }: CandidateOptions,
  base: Commit,
  fullLock: string,
  inputs: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<Candidate | undefined> {
  const baseText = await repository.readFile(base, lockPath, signal);
  const full = parseFlakeLock(fullLock);
  const before = baseText === undefined ? undefined : parseFlakeLock(baseText);
  const lock = before === undefined || inputs === undefined ? full : graftLock(before, full, new Set(inputs));
  const text = inputs === undefined || before === undefined ? fullLock : printFlakeLock(lock);
  const changes = diffLocks(before ?? emptyLock(full), lock, giteaHosts);
  if (changes.length === 0) return undefined;
  const names = changes.map(({ path }) => path[0] ?? "");
  const message = updateMessage({ base, inputs: names, details: changes.map(describeChange) });
  const commit = await repository.commit(
    { parent: base, files: new Map([[lockPath, text]]), message, author, date: newestOf(changes) },
    signal,
  );
  const findings = before === undefined ? [] : checkLockChange(before, lock);
  return { commit, base, changes, findings };
}

/** Inputs of the flake itself that the complete update changed against a base. */
export function changedInputs(baseLock: string | undefined, fullLock: string): readonly string[] {
  const full = parseFlakeLock(fullLock);
  const before = baseLock === undefined ? emptyLock(full) : parseFlakeLock(baseLock);
  return diffLocks(before, full).map(({ path }) => path[0] ?? "");
}

const emptyLock = (full: FlakeLock): FlakeLock => ({
  version: full.version,
  root: full.root,
  nodes: { [full.root]: {} },
});

/** The date of the commit: that of its newest input, so that it does not depend on when it is made. */
function newestOf(changes: readonly InputChange[]): Date {
  const seconds = changes.flatMap(({ after }) =>
    after?.lastModified === undefined ? [] : [after.lastModified],
  );
  return new Date(Math.max(0, ...seconds) * 1000);
}

/** `nixpkgs: 1a2b3c4 → 5d6e7f8 (2026-11-20)` */
function describeChange({ path, before, after }: InputChange): string {
  const short = (state: InputChange["before"]): string =>
    state?.rev?.slice(0, 7) ?? state?.narHash?.slice(0, 15) ?? "none";
  const date =
    after?.lastModified === undefined
      ? ""
      : ` (${new Date(after.lastModified * 1000).toISOString().slice(0, 10)})`;
  return `${path.join("/")}: ${short(before)} → ${short(after)}${date}`;
}

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
