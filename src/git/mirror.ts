import { HomelabError } from "../base/errors.ts";
import { silentLog, type Log } from "../base/log.ts";
import { didYouMean } from "../protocol/did-you-mean.ts";
import type { BranchName, Commit, RepoName } from "../protocol/names.ts";
import { parseCommit } from "../protocol/names.ts";
import type { Exec, ExecResult } from "../process/exec.ts";
import { createBareRepository } from "./bare-repository.ts";
import { coalesce } from "./coalesce.ts";
import type { Mirror } from "./git.ts";
import { createGitCommand } from "./git-command.ts";
import { readHeads } from "./read-heads.ts";
import { remoteError } from "./remote-error.ts";
import { secretsOf, type GitCredentials } from "./sign-in-programs.ts";

export interface MirrorOptions {
  readonly exec: Exec;
  readonly repo: RepoName;
  /** `https://…`, `ssh://…` or `file:///…` */
  readonly url: string;
  /** Absolute path of the bare repository below our state directory; `<directory>.home` beside it is ours too. */
  readonly directory: string;
  readonly credentials?: GitCredentials;
  /** `PATH`, and what ssh and TLS need of the environment that we were started in. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log?: Log;
  /** So many of the commits that were asked for are kept, the last used ones. Default 256. */
  readonly keptCommits?: number;
}

const fetchTimeoutMs = 120_000;

/**
 * Our own bare copy of a repo, made when it is first used. It holds the branches of the remote and every commit
 * that was asked for lately. Only branches are ever fetched: many servers also give out commits by hash that
 * belong to no branch, such as those of anybody's fork, and those are not the repo's.
 *
 * @throws HomelabError `config` with code `BAD_CONFIG` for a URL or path that we cannot use.
 */
export function createMirror({
  exec,
  repo,
  url,
  directory,
  credentials = {},
  environment,
  log = silentLog,
  keptCommits = 256,
}: MirrorOptions): Mirror {
  const git = createGitCommand({ exec, url, directory, credentials, environment });
  const repository = createBareRepository({ git, directory, keptCommits, log });

  let isOpen = false;
  const open = coalesce(async (signal) => {
    if (isOpen) return;
    await repository.open(signal);
    isOpen = true;
  });

  const askRemote = coalesce(async (signal) => readHeads({ git, url, credentials }, signal));

  const fetchBranches = coalesce(async (signal) => {
    const failed = await fetchOnce(signal);
    if (failed === undefined) {
      await repository.tidy(signal);
      return;
    }
    if (await repository.isIntact(signal)) throw await failure(failed);
    await fetchAnew(signal);
  });

  async function fetchOnce(signal: AbortSignal): Promise<ExecResult | undefined> {
    const options = ["--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-recurse-submodules"];
    // Branches are forced: this copy has no work of its own, and people push with force.
    const args = ["fetch", ...options, "--", url, "+refs/heads/*:refs/heads/*"];
    const result = await git.write(args, { signal, timeoutMs: fetchTimeoutMs });
    return result.exitCode === 0 ? undefined : result;
  }

  async function fetchAnew(signal: AbortSignal): Promise<void> {
    log.warn({ repo, directory }, "this mirror is broken and is fetched anew");
    await repository.startAnew(signal);
    const failed = await fetchOnce(signal);
    if (failed !== undefined) throw await failure(failed);
    await repository.tidy(signal);
  }

  const repair = coalesce(async (signal) => {
    if (!(await repository.isIntact(signal))) await fetchAnew(signal);
  });

  /** The commit once it is here and held by a ref, so that nothing takes it away. */
  async function fetched(wanted: () => Promise<Commit | undefined>, signal: AbortSignal) {
    await fetchBranches(signal);
    const commit = await wanted();
    if (commit !== undefined && (await repository.has(commit, signal))) return commit;
    await repair(signal);
    const again = await wanted();
    return again !== undefined && (await repository.has(again, signal)) ? again : undefined;
  }

  async function failure(result: ExecResult): Promise<HomelabError> {
    const secrets = await secretsOf(credentials);
    return remoteError({ url, result, timeoutMs: fetchTimeoutMs, secrets });
  }

  function unknownBranch(branch: BranchName, heads: Iterable<string>): HomelabError {
    const meant = didYouMean(branch, heads);
    return new HomelabError("usage", `${repo} has no branch ${branch}`, {
      code: "UNKNOWN_BRANCH",
      hint: meant === undefined ? undefined : `did you mean ${meant}?`,
    });
  }

  return {
    path: directory,

    async resolveBranch(branch, signal) {
      await open(signal);
      const heads = await askRemote(signal);
      const tip = heads.get(branch);
      if (tip === undefined) throw unknownBranch(branch, heads.keys());
      const isHere = await repository.has(tip, signal);
      const commit = isHere
        ? tip
        : await fetched(async () => {
            const text = await repository.branchTip(branch, signal);
            return text === undefined ? undefined : parseCommit(text);
          }, signal);
      // Deleted since we asked.
      if (commit === undefined) throw unknownBranch(branch, heads.keys());
      await repository.keep(commit, signal);
      return commit;
    },

    async ensureCommit(commit, signal) {
      await open(signal);
      const isHere =
        (await repository.has(commit, signal)) ||
        (await fetched(() => Promise.resolve(commit), signal)) !== undefined;
      if (!isHere) {
        throw new HomelabError("usage", `${repo} has no commit ${commit}`, {
          code: "UNKNOWN_COMMIT",
          hint: "it must be on one of the repo's branches: is it pushed?",
        });
      }
      await repository.keep(commit, signal);
    },
  };
}
