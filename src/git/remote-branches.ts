// What is known about a remote's branches: what they are at, and which of them could not be fetched.
import type { HomelabError } from "../base/errors.ts";
import type { Commit } from "../protocol/names.ts";
import type { ExecResult } from "../process/exec.ts";
import { coalesce } from "./coalesce.ts";
import { recentFirst, type Heads, type Tip } from "./decide-tips.ts";
import { readHeads, type RemoteHeads } from "./read-heads.ts";
import { refusalOf, remoteError } from "./remote-error.ts";
import { secretsOf } from "./sign-in-programs.ts";

export interface FailedFetch {
  readonly tip: Tip;
  readonly result: ExecResult;
  readonly timeoutMs: number;
}

/** In memory: another process may have another git. */
export interface RemoteBranches {
  /** The branches at the last check. */
  known(): Heads;
  /**
   * Looks at them.
   * @throws HomelabError `unavailable` with code `GIT_REMOTE` when the remote does not answer or refuses us
   */
  look(signal: AbortSignal): Promise<Heads>;
  /** Why git refuses a commit at the tip of a branch. Remembered for as long as one is at it: git would do it again. */
  refusal(commit: Commit): HomelabError | undefined;
  /** Whether it failed for another reason, which may pass. */
  hasFailed(commit: Commit): boolean;
  /**
   * Remembers that a tip could not be fetched alone, and gives the reason.
   * @throws like `look`, when it is the remote that failed and not this branch
   */
  explain(failed: FailedFetch, signal: AbortSignal): Promise<HomelabError>;
}

export function createRemoteBranches(remote: RemoteHeads): RemoteBranches {
  let known: Heads = new Map();
  const refused = new Map<Commit, HomelabError>();
  const failed = new Set<Commit>();

  const look = coalesce(async (signal) => {
    known = recentFirst(known, await readHeads(remote, signal));
    const tips = new Set(known.values());
    for (const commit of refused.keys()) if (!tips.has(commit)) refused.delete(commit);
    for (const commit of failed) if (!tips.has(commit)) failed.delete(commit);
    return known;
  });

  return {
    look,
    known: () => known,
    refusal: (commit) => refused.get(commit),
    hasFailed: (commit) => failed.has(commit),

    async explain({ tip: { branch, commit }, result, timeoutMs }, signal) {
      const call = { url: remote.url, result, timeoutMs, secrets: await secretsOf(remote.credentials) };
      const now = await look(signal);
      // Moved since, it says nothing about this commit.
      if (now.get(branch) !== commit) return remoteError(call);
      const refusal = refusalOf(call, commit);
      if (refusal === undefined) failed.add(commit);
      else refused.set(commit, refusal);
      return refusal ?? remoteError(call);
    },
  };
}
