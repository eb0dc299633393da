import { systemClock, type Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import { silentLog, type Log } from "../base/log.ts";
import { plainText } from "../base/terminal-text.ts";
import { didYouMean } from "../protocol/did-you-mean.ts";
import type { BranchName, Commit, RepoName } from "../protocol/names.ts";
import { parseCommit } from "../protocol/names.ts";
import type { Exec } from "../process/exec.ts";
import { createBareRepository } from "./bare-repository.ts";
import { createBranchFetcher } from "./branch-fetcher.ts";
import { coalesce } from "./coalesce.ts";
import type { Mirror } from "./git.ts";
import { createGitCommand } from "./git-command.ts";
import type { GitCredentials } from "./sign-in-programs.ts";

export interface MirrorOptions {
  readonly exec: Exec;
  readonly repo: RepoName;
  /** `https://…`, `ssh://…` or `file:///…` */
  readonly url: string;
  /** Absolute path of the bare repository below our state directory; `<directory>.home` beside it is ours too. */
  readonly directory: string;
  readonly credentials?: GitCredentials;
  /** Whether a local remote may belong to another user than ours. */
  readonly allowOtherOwner?: boolean;
  /** `PATH`, and what ssh and TLS need of the environment that we were started in. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock?: Pick<Clock, "monotonic">;
  readonly log?: Log;
  /** How many of the requested commits are kept; the last used ones stay. Default 256. */
  readonly keptCommits?: number;
}

/** Losses in our copy in the meantime are noticed after that. */
const knownMs = 60_000;
const readTimeoutMs = 20_000;
const outOfReach = { kind: "unavailable", code: "GIT_REMOTE" } as const;

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
  allowOtherOwner,
  environment,
  clock = systemClock,
  log = silentLog,
  keptCommits = 256,
}: MirrorOptions): Mirror {
  const git = createGitCommand({ exec, url, directory, credentials, allowOtherOwner, environment });
  const repository = createBareRepository({ git, directory, keptCommits, log });

  let isOpen = false;
  const open = coalesce(async (signal) => {
    if (isOpen) return;
    await repository.open(signal);
    isOpen = true;
  });

  const remote = createBranchFetcher({ git, url, credentials, repository, repo, clock, log });

  /** When each was last found to be here, and in which packs. */
  const found = new Map<Commit, { readonly at: number; readonly packs: string }>();

  /** Found not long ago, and its ref and the packs are as they were: many requests in a row cost no process. */
  async function isKnown(commit: Commit): Promise<boolean> {
    const known = found.get(commit);
    if (known === undefined || clock.monotonic() - known.at > knownMs) return false;
    return (await repository.packs()) === known.packs && (await repository.touch(commit));
  }

  async function keep(commit: Commit, signal: AbortSignal): Promise<void> {
    await repository.keep(commit, signal);
    const now = clock.monotonic();
    for (const [each, { at }] of found) if (now - at > knownMs) found.delete(each);
    found.set(commit, { at: now, packs: await repository.packs() });
  }

  /** The commit once it is here; when it is not, because our copy is broken, after that is fetched again. */
  async function fetched<Found>(
    fetch: () => Promise<Found>,
    wanted: (found: Found) => Promise<Commit | undefined>,
    signal: AbortSignal,
  ): Promise<Commit | undefined> {
    const commit = await wanted(await fetch());
    if (commit !== undefined && (await repository.has(commit, signal))) return commit;
    if (!(await remote.repair(signal))) return undefined;
    const again = await wanted(await fetch());
    return again !== undefined && (await repository.has(again, signal)) ? again : undefined;
  }

  function unknownBranch(branch: BranchName, heads: Iterable<string>): HomelabError {
    const meant = didYouMean(branch, heads);
    return new HomelabError("usage", `${repo} has no branch ${branch}`, {
      code: "UNKNOWN_BRANCH",
      hint: meant === undefined ? undefined : `did you mean ${meant}?`,
    });
  }

  async function fetchCommit(commit: Commit, signal: AbortSignal): Promise<void> {
    const heads = await remote.heads(signal);
    const at = [...heads].find(([, tip]) => tip === commit)?.[0];
    let refused: ReadonlyMap<string, HomelabError> = new Map();
    const fetch = async (): Promise<void> => {
      if (at === undefined) refused = await remote.search(commit, signal);
      else await remote.fetchBranch(at, signal);
    };
    if ((await fetched(fetch, async () => commit, signal)) !== undefined) return;
    const [first] = refused;
    if (first !== undefined) throw unknownOrRefused(commit, first, refused.size);
    throw new HomelabError("usage", `${repo} has no commit ${commit}`, {
      code: "UNKNOWN_COMMIT",
      hint: "it must be on one of the repo's branches: is it pushed?",
    });
  }

  /** It is unknown whether a commit exists while there are branches that cannot be read. */
  function unknownOrRefused(
    commit: Commit,
    [branch, error]: readonly [string, HomelabError],
    count: number,
  ): HomelabError {
    const others = count === 1 ? "" : ` (and ${count - 1} more)`;
    const message = `commit ${commit} of ${repo} is not on a branch that can be fetched, and ${plainText(branch)}${others} cannot: ${error.message}`;
    // What a person has to change first stays that; a commit that git refuses may not be the one that is wanted.
    const { kind, code } = error.kind === "failed" ? outOfReach : error;
    return new HomelabError(kind, message, { code, hint: error.hint, cause: error });
  }

  return {
    path: directory,

    async resolveBranch(branch, signal) {
      await open(signal);
      const heads = await remote.heads(signal);
      const tip = heads.get(branch);
      if (tip === undefined) throw unknownBranch(branch, heads.keys());
      const newest = async (): Promise<Commit> => {
        const text = await repository.branchTip(branch, signal);
        return text === undefined ? tip : parseCommit(text);
      };
      if (await isKnown(tip)) return tip;
      const isHere = await repository.has(tip, signal);
      const commit = isHere
        ? tip
        : await fetched(async () => remote.fetchBranch(branch, signal), newest, signal);
      // Deleted since we asked.
      if (commit === undefined) throw unknownBranch(branch, heads.keys());
      await keep(commit, signal);
      return commit;
    },

    async ensureCommit(commit, signal) {
      await open(signal);
      if (await isKnown(commit)) return;
      if (!(await repository.has(commit, signal))) await fetchCommit(commit, signal);
      await keep(commit, signal);
    },

    async readFile(commit, path, signal) {
      const options = { signal, timeoutMs: readTimeoutMs };
      const file = await git.read(["cat-file", "blob", `${commit}:${path}`], options);
      return file.exitCode === 0 ? file.stdout : undefined;
    },
  };
}
