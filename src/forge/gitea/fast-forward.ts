import { isUnavailable } from "../../base/errors.ts";
import { retry, type RetryPolicy } from "../../base/retry.ts";
import type { Commit } from "../../protocol/names.ts";
import type { LandResult, PullRequest } from "../forge.ts";
import { type ForgeError, hasStatus } from "../http/forge-error.ts";
import { BranchAnswer } from "./schemas.ts";
import { findBranch } from "../http/repository-access.ts";
import type { GiteaContext } from "./context.ts";
import { compareBranches, readPullRequest } from "./pull-requests.ts";
import { anything } from "../http/http.ts";

/** Two minutes altogether: right after its creation Gitea still computes whether a pull request can be merged. */
const notYet: RetryPolicy = { attempts: 7, firstDelayMs: 2000, factor: 2, maxDelayMs: 60_000 };
/** A forge that cannot be reached is not asked as often. */
const lostAnswers = 3;

export async function giteaFastForward(
  context: GiteaContext,
  pull: PullRequest,
  head: Commit,
  signal: AbortSignal,
): Promise<LandResult> {
  const { http, repo, dialect } = context;
  if (!dialect.fastForwardMerge) {
    return { type: "refused", message: `${dialect.kind} ${dialect.version} cannot merge by fast-forward` };
  }
  // `Do`, not `do`: all versions know it.
  const json = { Do: "fast-forward-only", head_commit_id: head };
  const path = [...repo, "pulls", pull.number, "merge"];
  let lost = 0;
  return retry({
    policy: notYet,
    clock: http.clock,
    signal,
    async attempt() {
      try {
        await http.call({ method: "POST", path, json, answer: anything }, signal);
        return { type: "landed" };
      } catch (error) {
        signal.throwIfAborted();
        if (isUnavailable(error)) lost++;
        const result = await whatBecameOfIt(context, pull, head, error, signal);
        if (result === undefined) throw error;
        return result;
      }
    },
    isTransient: (error) => isNotYet(error) || (isUnavailable(error) && lost < lostAnswers),
  });
}

/** Undefined where the forge is to be asked again, or where it is unknown. */
async function whatBecameOfIt(
  context: GiteaContext,
  pull: PullRequest,
  head: Commit,
  error: unknown,
  signal: AbortSignal,
): Promise<LandResult | undefined> {
  // Also the answer about a pull request that cannot be merged: that will not change.
  if (isNotYet(error)) return (await hasDiverged(context, pull, signal)) ? { type: "moved" } : undefined;
  if (!hasStatus(error, 403, 404, 405, 409) && !isUnavailable(error)) return undefined;
  // A lost answer may have been a yes.
  if (await hasLanded(context, pull, head, signal)) return { type: "landed" };
  if (hasStatus(error, 403, 405) || isRejectedPush(error)) {
    return { type: "refused", message: error.words === "" ? error.message : error.words };
  }
  // A base that went another way is answered with 500 and no word.
  return hasStatus(error, 409) || (await hasDiverged(context, pull, signal)) ? { type: "moved" } : undefined;
}

const isNotYet = (error: unknown): boolean => hasStatus(error, 405) && /try again later/i.test(error.message);

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
  if ((await findBranch(context, base, BranchAnswer, signal))?.commit === head) return true;
  const pull = await readPullRequest(context, number, signal);
  return pull.state === "merged" && pull.headCommit === head;
}

/** Whether the base has commits that the head has not. */
async function hasDiverged(
  context: GiteaContext,
  { base, head }: PullRequest,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await findBranch(context, base, BranchAnswer, signal)) === undefined) return true;
  return (await compareBranches(context, head, base, signal)).total_commits > 0;
}
