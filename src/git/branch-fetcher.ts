// What a mirror fetches, and what it makes of a remote that gives only some of it. A fetch of several branches is all
// or nothing: one object that git refuses, or a branch that the remote cannot read itself, fails it for all of them.
// So a branch that is needed is fetched alone, and others only for a commit that is at none of their tips.
import type { Clock } from "../base/clock.ts";
import type { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Commit, RepoName } from "../protocol/names.ts";
import type { ExecResult } from "../process/exec.ts";
import type { BareRepository } from "./bare-repository.ts";
import { coalesce, type Coalesced } from "./coalesce.ts";
import type { Heads } from "./decide-tips.ts";
import type { GitCommand } from "./git-command.ts";
import { createRemoteBranches } from "./remote-branches.ts";
import { isCutShort } from "./remote-error.ts";
import { createBranchSearch } from "./search-branches.ts";
import type { GitCredentials } from "./sign-in-programs.ts";

const fetchTimeoutMs = 120_000;
/** Branches named in a line of log. */
const mostNamed = 20;

export interface BranchFetcherOptions {
  readonly git: Pick<GitCommand, "ask" | "write">;
  readonly url: string;
  readonly credentials: GitCredentials;
  readonly repository: Omit<BareRepository, "open">;
  readonly repo: RepoName;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Log;
}

export interface BranchFetcher {
  /**
   * The remote's branches and what they are at now.
   * @throws HomelabError `unavailable` with code `GIT_REMOTE`
   */
  heads(signal: AbortSignal): Promise<Heads>;
  /**
   * Fetches a branch that `heads` named.
   * @throws HomelabError `unavailable` with code `GIT_REMOTE`; `failed` with code `GIT_REFUSED` when git refuses the
   *   commit that the branch is at
   */
  fetchBranch(branch: string, signal: AbortSignal): Promise<void>;
  /**
   * Fetches the branches that can be fetched, until the commit is here. Gives the reason for each that cannot,
   * first for those that may be fetched another time.
   * @throws HomelabError `unavailable` with code `GIT_REMOTE` when the remote does not answer
   */
  search(commit: Commit, signal: AbortSignal): Promise<ReadonlyMap<string, HomelabError>>;
  /** Empties our copy when it is broken, so that the next fetch gets everything; says whether it was. */
  repair(signal: AbortSignal): Promise<boolean>;
}

export function createBranchFetcher({
  git,
  url,
  credentials,
  repository,
  repo,
  clock,
  log,
}: BranchFetcherOptions): BranchFetcher {
  const branches = createRemoteBranches({ git, url, credentials });
  const byBranch = new Map<string, Coalesced<void>>();

  const repair = coalesce(async (signal) => {
    if (await repository.isIntact(signal)) return false;
    log.warn({ repo, directory: repository.directory }, "this mirror is broken and is fetched again");
    await repository.startAnew(signal);
    return true;
  });

  async function fetch(
    names: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<ExecResult | undefined> {
    const options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
    // Branches are forced: this copy has no work of its own, and people push with force.
    const refs = names.map((branch) => `+refs/heads/${branch}:refs/heads/${branch}`);
    const result = await git.write(["fetch", ...options, "--", url, ...refs], { signal, timeoutMs });
    return result.exitCode === 0 && !isCutShort(result) ? undefined : result;
  }

  function createBranchFetch(branch: string): Coalesced<void> {
    return coalesce(async (signal) => {
      const commit = branches.known().get(branch);
      // Deleted since it was asked for.
      if (commit === undefined) return;
      const refusal = branches.refusal(commit);
      if (refusal !== undefined) throw refusal;
      await repository.keepBranches(new Set(branches.known().keys()), signal);
      const first = await fetch([branch], fetchTimeoutMs, signal);
      const isAgain = first !== undefined && (await repair(signal));
      const result = isAgain ? await fetch([branch], fetchTimeoutMs, signal) : first;
      if (result !== undefined) {
        throw await branches.explain({ tip: { branch, commit }, result, timeoutMs: fetchTimeoutMs }, signal);
      }
      await repository.tidy(signal);
    });
  }

  const search = createBranchSearch({
    branches,
    repository,
    fetch,
    fetchTimeoutMs,
    repair,
    asked: () => new Set(byBranch.keys()),
    clock,
  });

  return {
    repair,

    async heads(signal) {
      const heads = await branches.look(signal);
      for (const branch of byBranch.keys()) if (!heads.has(branch)) byBranch.delete(branch);
      return heads;
    },

    async fetchBranch(branch, signal) {
      const run = byBranch.get(branch) ?? createBranchFetch(branch);
      byBranch.set(branch, run);
      await run(signal);
    },

    async search(commit, signal) {
      const { unread, isNew } = await search(commit, signal);
      if (isNew) {
        const named = [...unread].slice(0, mostNamed).map(([name, { message }]) => `${name}: ${message}`);
        log.warn({ repo, branches: named, count: unread.size }, "branches of a repo cannot be fetched");
      }
      await repository.tidy(signal);
      return unread;
    },
  };
}
