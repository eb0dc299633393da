// What a mirror fetches, and what it makes of a remote that gives only some of it. A fetch of several branches is all
// or nothing: one object that git refuses, or a branch that the remote cannot read itself, fails it for all of them.
// So a branch that is needed is fetched alone, and all branches only for a commit that is at none of their tips.
import type { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Commit, RepoName } from "../protocol/names.ts";
import type { ExecResult } from "../process/exec.ts";
import type { BareRepository } from "./bare-repository.ts";
import { coalesce, type Coalesced } from "./coalesce.ts";
import type { GitCommand } from "./git-command.ts";
import { readHeads } from "./read-heads.ts";
import { remoteError } from "./remote-error.ts";
import { secretsOf, type GitCredentials } from "./sign-in-programs.ts";

const fetchTimeoutMs = 120_000;
/** Branches named in a line of log. */
const mostNamed = 20;

export interface BranchFetcherOptions {
  readonly git: GitCommand;
  readonly url: string;
  readonly credentials: GitCredentials;
  readonly repository: BareRepository;
  readonly repo: RepoName;
  readonly log: Log;
}

export interface BranchFetcher {
  /** The remote's branches and what they are at now. */
  heads(signal: AbortSignal): Promise<ReadonlyMap<string, Commit>>;
  /**
   * Fetches a branch that `heads` named.
   * @throws HomelabError `unavailable` with code `GIT_REMOTE`
   */
  fetchBranch(branch: string, signal: AbortSignal): Promise<void>;
  /**
   * Fetches all branches that can be fetched, and gives the reason for each that cannot.
   * @throws HomelabError `unavailable` with code `GIT_REMOTE` when the remote does not answer
   */
  fetchBranches(signal: AbortSignal): Promise<ReadonlyMap<string, HomelabError>>;
  /** Empties our copy when it is broken, so that the next fetch gets everything; says whether it was. */
  repair(signal: AbortSignal): Promise<boolean>;
}

export function createBranchFetcher({
  git,
  url,
  credentials,
  repository,
  repo,
  log,
}: BranchFetcherOptions): BranchFetcher {
  let known: ReadonlyMap<string, Commit> = new Map();
  const byBranch = new Map<string, Coalesced<void>>();

  const heads = coalesce(async (signal) => {
    known = await readHeads({ git, url, credentials }, signal);
    for (const branch of byBranch.keys()) if (!known.has(branch)) byBranch.delete(branch);
    return known;
  });

  const repair = coalesce(async (signal) => {
    if (await repository.isIntact(signal)) return false;
    log.warn({ repo, directory: repository.directory }, "this mirror is broken and is fetched anew");
    await repository.startAnew(signal);
    return true;
  });

  /** @param branch `*` for all */
  async function fetchOnce(branch: string, signal: AbortSignal): Promise<ExecResult | undefined> {
    const options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
    // Branches are forced: this copy has no work of its own, and people push with force.
    const args = ["fetch", ...options, "--", url, `+refs/heads/${branch}:refs/heads/${branch}`];
    const result = await git.write(args, { signal, timeoutMs: fetchTimeoutMs });
    return result.exitCode === 0 ? undefined : result;
  }

  async function fetch(branch: string, signal: AbortSignal): Promise<ExecResult | undefined> {
    await repository.keepBranches(new Set(known.keys()), signal);
    const failed = await fetchOnce(branch, signal);
    return failed !== undefined && (await repair(signal)) ? fetchOnce(branch, signal) : failed;
  }

  async function failure(result: ExecResult): Promise<HomelabError> {
    return remoteError({ url, result, timeoutMs: fetchTimeoutMs, secrets: await secretsOf(credentials) });
  }

  function createBranchFetch(branch: string): Coalesced<void> {
    return coalesce(async (signal) => {
      const failed = await fetch(branch, signal);
      if (failed !== undefined) throw await failure(failed);
      await repository.tidy(signal);
    });
  }

  /** Each branch of which we do not have the tip yet; those that fail, with the reason. */
  async function fetchOneByOne(signal: AbortSignal): Promise<ReadonlyMap<string, HomelabError>> {
    const refused = new Map<string, HomelabError>();
    for (const [branch, tip] of known) {
      if (await repository.has(tip, signal)) continue;
      const failed = await fetchOnce(branch, signal);
      if (failed === undefined) continue;
      const error = await failure(failed);
      if (failed.timedOut) throw error;
      refused.set(branch, error);
      // Throws when it is the remote that failed, and not this branch.
      await readHeads({ git, url, credentials }, signal);
    }
    return refused;
  }

  return {
    heads,
    repair,

    async fetchBranch(branch, signal) {
      const run = byBranch.get(branch) ?? createBranchFetch(branch);
      byBranch.set(branch, run);
      await run(signal);
    },

    fetchBranches: coalesce(async (signal) => {
      const failed = await fetch("*", signal);
      if (failed?.timedOut === true) throw await failure(failed);
      const refused = failed === undefined ? new Map<string, HomelabError>() : await fetchOneByOne(signal);
      if (refused.size > 0) {
        const branches = [...refused].slice(0, mostNamed).map(([name, { message }]) => `${name}: ${message}`);
        log.warn({ repo, branches, count: refused.size }, "branches of a repo cannot be fetched");
      }
      await repository.tidy(signal);
      return refused;
    }),
  };
}
