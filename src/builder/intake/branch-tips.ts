// Whether a commit that was asked for by its hash is what the repo's branch has now.
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import type { Commit, RepoName } from "../../protocol/names.ts";
import type { BuildRequest } from "../../protocol/request.ts";
import type { Repo } from "../repo.ts";
import type { PolledCommits } from "./poll-repos.ts";

/** So long a tip counts that the remote named. Of a backlog for one commit only one request in that time asks it. */
const seenMs = 10_000;

export interface BranchTips {
  /**
   * Polling names the commit that it saw at the head of the branch. Whoever may ask for builds can say so of any
   * commit, so it is looked at: what is known here first, because the remote may be away by now.
   */
  isPolledHead(repo: Repo, commit: Commit, signal: AbortSignal): Promise<boolean>;
  /**
   * Polling knows, or soon builds the tip itself; where nothing polls, the remote is asked. The build does not need the
   * answer, so it continues without one.
   */
  isTip(
    repo: Repo,
    commit: Commit,
    request: Pick<BuildRequest, "trigger">,
    signal: AbortSignal,
  ): Promise<boolean>;
}

export function createBranchTips(
  polled: Pick<PolledCommits, "get">,
  clock: Pick<Clock, "monotonic">,
): BranchTips {
  const seen = new Map<RepoName, { readonly commit: Commit; readonly at: number }>();

  /** Only a yes is remembered: a commit that was pushed a moment ago must not count as one of the past. */
  async function isHead(
    { name, mirror, branch }: Repo,
    commit: Commit,
    signal: AbortSignal,
  ): Promise<boolean> {
    const last = seen.get(name);
    if (last?.commit === commit && clock.monotonic() - last.at < seenMs) return true;
    const head = await mirror.resolveBranch(branch, signal);
    seen.set(name, { commit: head, at: clock.monotonic() });
    return head === commit;
  }

  return {
    async isPolledHead(repo, commit, signal) {
      return polled.get(repo.name) === commit || isHead(repo, commit, signal);
    },
    async isTip(repo, commit, { trigger }, signal) {
      if (polled.get(repo.name) === commit) return true;
      if (repo.pollMs > 0 || trigger === "update") return false;
      try {
        return await isHead(repo, commit, signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof HomelabError)) throw error;
        return false;
      }
    },
  };
}
