import { parseCommit, type Commit } from "../protocol/names.ts";
import type { ExecResult } from "../process/exec.ts";
import type { GitCommand } from "./git-command.ts";
import { longNamesError, remoteError } from "./remote-error.ts";
import { secretsOf, type GitCredentials } from "./sign-in-programs.ts";

export interface RemoteHeads {
  readonly git: Pick<GitCommand, "ask">;
  /** `https://…`, `ssh://…` or `file:///…` */
  readonly url: string;
  readonly credentials: GitCredentials;
}

const timeoutMs = 30_000;

/**
 * Asks a remote for its branches and what they are at.
 *
 * @throws HomelabError `unavailable` with code `GIT_REMOTE` when it does not answer; `refused` with code `GIT_DENIED`
 *   when it refuses our credentials; `config` for a repository that we may not or cannot use.
 */
export async function readHeads(
  { git, url, credentials }: RemoteHeads,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Commit>> {
  const result: ExecResult = await git.ask(["ls-remote", "--heads", "--", url], { signal, timeoutMs });
  if (result.exitCode === 0) {
    if (hasLongNames(result.stdout)) throw longNamesError(url);
    return parseHeads(result.stdout);
  }
  throw remoteError({ url, result, timeoutMs, secrets: await secretsOf(credentials) });
}

const hasLongNames = (listing: string): boolean => /^[0-9a-f]{64}\t/m.test(listing);

/** Lines of `git ls-remote`: the hash, a tab, the ref. */
function parseHeads(listing: string): ReadonlyMap<string, Commit> {
  const heads = new Map<string, Commit>();
  for (const line of listing.split("\n")) {
    const match = /^(?<commit>[0-9a-f]{40})\trefs\/heads\/(?<branch>.+)$/.exec(line);
    const { commit, branch } = match?.groups ?? {};
    if (commit !== undefined && branch !== undefined) heads.set(branch, parseCommit(commit));
  }
  return heads;
}
