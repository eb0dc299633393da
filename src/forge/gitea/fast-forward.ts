import type { Commit } from "../../protocol/names.ts";
import { type RetryPolicy, retryDelay } from "../../base/retry.ts";
import type { LandResult, PullRequest } from "../forge.ts";
import { type ForgeError, hasStatus, isUnavailable } from "../http/forge-error.ts";
import { readBranch } from "./branches.ts";
import type { GiteaContext } from "./context.ts";
import { compareBranches } from "./compare.ts";
import { PullRequestAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";

/** Two minutes altogether: right after its creation Gitea still computes whether a pull request can be merged. */
const notYet: RetryPolicy = { attempts: 7, firstDelayMs: 2000, factor: 2, maxDelayMs: 60_000 };

export async function giteaFastForward(
  context: GiteaContext,
  pull: PullRequest,
  head: Commit,
  signal: AbortSignal,
): Promise<LandResult> {
  const { http, repo, dialect } = context;
  if (!dialect.capabilities.fastForwardMerge) {
    return { type: "refused", message: `${dialect.kind} ${dialect.version} cannot merge by fast-forward` };
  }
  // `Do`, not `do`: all versions know it.
  const json = { Do: "fast-forward-only", head_commit_id: head };
  for (let attempt = 1; ; attempt++) {
    try {
      const path = [...repo, "pulls", pull.number, "merge"];
      await http.call({ method: "POST", path, json, answer: anything }, signal);
      return { type: "landed" };
    } catch (error) {
      signal.throwIfAborted();
      if (hasStatus(error, 405) && /try again later/i.test(error.message)) {
        // Said of what cannot be merged too: that will not change.
        if (await hasDiverged(context, pull, signal)) return { type: "moved" };
        if (attempt >= notYet.attempts) throw error;
        await http.clock.sleep(retryDelay(notYet, attempt + 1), signal);
      } else if (hasStatus(error, 403, 405) || isRejectedPush(error)) {
        if (await hasLanded(context, pull, head, signal)) return { type: "landed" };
        return { type: "refused", message: error.words === "" ? error.message : error.words };
      } else if (hasStatus(error, 404, 409) || isUnavailable(error)) {
        // A base that went another way is answered with 500 and no word, and a lost answer may have been a yes.
        if (await hasLanded(context, pull, head, signal)) return { type: "landed" };
        if (hasStatus(error, 409) || (await hasDiverged(context, pull, signal))) return { type: "moved" };
        if (hasStatus(error, 404) || attempt >= 3) throw error;
        await http.clock.sleep(retryDelay(notYet, attempt + 1), signal);
      } else throw error;
    }
  }
}

/** By a hook or a rule of the repository, said by the same status as that somebody else was quicker. */
const isRejectedPush = (error: unknown): error is ForgeError =>
  hasStatus(error, 409) && error.words.startsWith("PushRejected");

/** The base may have gone on from there already: then the pull request says it. */
async function hasLanded(
  context: GiteaContext,
  { base, number }: PullRequest,
  head: Commit,
  signal: AbortSignal,
): Promise<boolean> {
  const { http, repo } = context;
  if ((await readBranch(context, base, signal))?.commit === head) return true;
  const path = [...repo, "pulls", number];
  const { value: pull } = await http.call({ method: "GET", path, answer: PullRequestAnswer }, signal);
  return pull?.state === "merged" && pull.headCommit === head;
}

/** Whether the base has commits that the head has not. */
async function hasDiverged(
  context: GiteaContext,
  { base, head }: PullRequest,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await readBranch(context, base, signal)) === undefined) return true;
  return (await compareBranches(context, head, base, signal)).total_commits > 0;
}
