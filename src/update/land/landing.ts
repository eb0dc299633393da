// How a validated commit gets onto the branch: by a push, or where only merges may move it, through a pull request.
import type { Describe, Land, Validated } from "../update.ts";
import { HomelabError, isBug } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Forge, LandResult } from "../../forge/forge.ts";
import type { Repository } from "../../git/git.ts";
import type { BranchName } from "../../protocol/names.ts";
import { statusOf } from "./commit-statuses.ts";
import { openPullRequest } from "../propose/propose.ts";
import { adviceFor, type LandingWay } from "./refusal-advice.ts";

export interface LandingOptions {
  readonly way: LandingWay;
  readonly repository: Pick<Repository, "push" | "mirror" | "isAncestor">;
  readonly branch: BranchName;
  readonly author: { readonly email: string };
  readonly forge: Forge | undefined;
  /** What the pull request says. */
  readonly describe: Describe;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

export function createLanding(options: LandingOptions): Land {
  const { way, forge, branch } = options;
  if (way === "pull-request" && forge === undefined) {
    throw new HomelabError("config", "landing by pull requests needs a forge", {
      code: "BAD_CONFIG",
      hint: "configure the repo's update.forge, or landing: push",
    });
  }
  return async (validated, updateBranch, signal) => {
    const result =
      way === "pull-request" && forge !== undefined
        ? await landByMerge(options, forge, validated, updateBranch, signal)
        : await landByPush(options, validated, signal);
    if (result.type !== "refused") return { type: result.type };
    const words = result.message;
    const facts = await branchFacts(options, signal);
    const advice = adviceFor({ way, branch, user: forge?.user, words, facts });
    const why = { reason: "refused", message: words, advice } as const;
    return { type: "refused", why };
  };
}

async function landByPush(
  { repository, branch }: LandingOptions,
  { candidate: { base, commit } }: Validated,
  signal: AbortSignal,
): Promise<LandResult> {
  const pushed = await repository.push([{ ref: `refs/heads/${branch}`, from: base, to: commit }], signal);
  switch (pushed.type) {
    case "pushed":
      return { type: "landed" };
    case "moved":
      return { type: "moved" };
    case "refused":
      return { type: "refused", message: pushed.reason };
  }
}

/** By fast-forward of exactly the validated commit: no other merge leaves the branch at what was built. */
async function landByMerge(
  options: LandingOptions,
  forge: Forge,
  validated: Validated,
  updateBranch: BranchName,
  signal: AbortSignal,
): Promise<LandResult> {
  const { commit } = validated.candidate;
  // A rule may ask for it, so here it has to be there.
  await forge.ensureStatus(commit, statusOf(validated), signal);
  const proposal = await options.describe(validated, { branch: updateBranch, isLanding: true }, signal);
  const opened = await openPullRequest({ ...options, forge }, updateBranch, proposal, signal);
  const { url, number } = opened.pullRequest;
  if (opened.type === "declined") {
    return { type: "refused", message: `a person closed the pull request of the same update: ${url}` };
  }
  const merged = await forge.fastForward(number, commit, signal);
  if (merged.type !== "landed") return merged;
  // What a forge says about its merges is believed only once the branch has the commit.
  const { repository, branch } = options;
  const tip = await repository.mirror.resolveBranch(branch, signal);
  return (await repository.isAncestor(commit, tip, signal))
    ? merged
    : { type: "refused", message: `${url} counts as merged, but ${branch} does not have its commit` };
}

/** For advice only. */
async function branchFacts({ forge, branch, log }: LandingOptions, signal: AbortSignal) {
  try {
    return await forge?.branch(branch, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    log.warn({ err: error }, "the forge does not report what the branch requires");
    return undefined;
  }
}
