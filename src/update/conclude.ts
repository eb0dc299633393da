// How a run ends: a landed update is announced and cleaned up after, and the rest is proposed.
import { missingVerdicts } from "./judge/missing-verdicts.ts";
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Repository } from "../git/git.ts";
import { wasDenied } from "../protocol/build-state.ts";
import type { BranchName, Commit } from "../protocol/names.ts";
import type { LandedEffect } from "../protocol/update-events.ts";
import { deleteUpdateBranch } from "./branch/update-branch.ts";
import type { Journal } from "./journal.ts";
import type { Blocker } from "./judge/decide-blocker.ts";
import { propose, type ProposeOptions } from "./propose/propose.ts";
import { supersede } from "./propose/tend-proposals.ts";
import { tellLanded } from "./landed/tell-landed.ts";
import { announceValidated, type AnnounceOptions } from "./tell/announce.ts";
import type { Describe, Explain, Found, ProposalContext, UpdateResult, Validated } from "./update.ts";

export interface ConcludeOptions {
  readonly journal: Journal;
  readonly log: Log;
  readonly repository: Pick<Repository, "mirror" | "isAncestor" | "push">;
  readonly branch: BranchName;
  readonly describe: Describe;
  readonly explain: Explain;
  /** Undefined without a forge. */
  readonly proposals: ProposeOptions | undefined;
  readonly telling: AnnounceOptions;
}

export type SafeUpdateResult =
  | { readonly type: "no-change"; readonly base: Commit }
  | ({ readonly type: "landed" } & Told)
  | ({
      readonly type: "proposed";
      readonly branch: BranchName;
      readonly url?: string;
      readonly why?: Blocker;
      readonly found?: Found;
    } & Told)
  /** A person closed a proposal of the same lock. */
  | ({ readonly type: "declined"; readonly url: string; readonly found?: Found } & Told)
  | ({
      readonly type: "infra";
      /** No host got further because a remote refuses the builder: somebody has to give it access. */
      readonly isRefused: boolean;
      readonly found?: Found;
    } & Told)
  | ({ readonly type: "dry-run"; readonly wouldLand: boolean; readonly why?: Blocker } & Told);

interface Told {
  readonly validated: Validated;
  /** What has landed, the whole or a part of it, changes on the hosts; absent where nobody could tell. */
  readonly effect?: LandedEffect;
}

export function concludeDryRun(result: UpdateResult): SafeUpdateResult {
  if (result.type === "no-change") return result;
  const { wouldLand, why } = result.type === "dry-run" ? result : { wouldLand: false };
  return { type: "dry-run", wouldLand, why, validated: result };
}

export async function conclude(
  options: ConcludeOptions,
  result: UpdateResult,
  signal: AbortSignal,
): Promise<SafeUpdateResult> {
  if (result.type === "no-change") {
    await closeProposals(options, signal);
    return result;
  }
  const { found } = { found: undefined, ...result };
  const effect = await tellPart(options, found, signal);
  switch (result.type) {
    case "landed":
      return concludeLanded(options, result, signal);
    case "infra":
      await announceValidated(
        options.telling,
        result,
        { outcome: "failed", reason: noVerdictReason(result) },
        signal,
      );
      return { type: "infra", isRefused: wasDenied(result.state), validated: result, found, effect };
    case "not-landed": {
      const context = { found, branch: result.branch, why: result.why };
      return { ...(await concludeProposal(options, result, context, signal)), effect };
    }
    case "broken":
      return { ...(await concludeProposal(options, result, result, signal)), effect };
    case "dry-run":
      return concludeDryRun(result);
  }
}

function noVerdictReason(validated: Validated): string {
  const [first] = missingVerdicts(validated);
  return `some hosts have no verdict${first === undefined ? "" : `: ${first}`}`;
}

/** An update that landed without the culprits is announced at once; the rest is proposed on top of it. */
async function tellPart(
  options: ConcludeOptions,
  found: Found | undefined,
  signal: AbortSignal,
): Promise<LandedEffect | undefined> {
  if (found?.landed === undefined) return undefined;
  const { commit, inputs } = found.landed;
  const step = options.journal.entries.findLast((each) => each.step === "landing" && each.commit === commit);
  const base = step?.step === "landing" ? step.base : commit;
  return tellLanded(options, { base, commit }, inputs, signal);
}

/** It is on the branch: what cannot be reached from here on is tidied up by the next run. */
async function concludeLanded(
  options: ConcludeOptions,
  validated: Extract<UpdateResult, { type: "landed" }>,
  signal: AbortSignal,
): Promise<SafeUpdateResult> {
  const { candidate, branch } = validated;
  const { base, commit } = candidate;
  const effect = await tellLanded(options, { base, commit, validated, branch }, [], signal);
  try {
    await tidyUp(options, validated.branch, validated.candidate.commit, signal);
    await options.journal.append({ step: "ended", outcome: "landed" });
  } catch (error) {
    options.log.warn({ err: error }, "the clean-up after a landed update failed");
  }
  return { type: "landed", validated, effect };
}

async function concludeProposal(
  { journal, describe, proposals, telling }: ConcludeOptions,
  validated: Validated,
  context: ProposalContext,
  signal: AbortSignal,
): Promise<Extract<SafeUpdateResult, { type: "proposed" | "declined" }>> {
  const { branch, why, found } = context;
  const proposal = await describe(validated, context, signal);
  const because = { why, found };
  if (proposals === undefined) {
    const reason = why?.message ?? "it does not build on every host";
    await announceValidated(telling, validated, { outcome: "proposed", reason }, signal);
    await journal.append({ step: "ended", outcome: "proposed" });
    return { type: "proposed", branch, validated, ...because };
  }
  const proposed = await propose(proposals, branch, validated.candidate.commit, proposal, signal);
  const { url } = proposed.pullRequest;
  if (proposed.type === "declined") {
    await dropDeclined(proposals, branch, validated.candidate.commit, signal);
    await journal.append({ step: "ended", outcome: "declined" });
    return { type: "declined", url, validated, ...because };
  }
  const reason = why?.message ?? proposal.title;
  await announceValidated(telling, validated, { outcome: "proposed", url, reason }, signal);
  await journal.append({ step: "ended", outcome: "proposed" });
  return { type: "proposed", branch, url, validated, ...because };
}

/** Nobody needs its branch, unless somebody else's pull request is about it. */
async function dropDeclined(
  { forge, repository, log }: ProposeOptions,
  branch: BranchName,
  commit: Commit,
  signal: AbortSignal,
): Promise<void> {
  await unlessRefused(log, "the branch of an update that was declined could not be deleted", async () => {
    const open = await forge.pullRequests({ state: "open", head: branch }, signal);
    if (open.length === 0) await deleteUpdateBranch(repository, branch, commit, signal);
  });
}

/** The branch has all that upstream has, as far as all of it was asked for and answered. */
async function closeProposals(
  { proposals, journal, log }: ConcludeOptions,
  signal: AbortSignal,
): Promise<void> {
  const isAll = journal.last("started")?.inputs === undefined;
  const isAnswered = (journal.last("resolved")?.unavailable ?? []).length === 0;
  if (proposals === undefined || !isAll || !isAnswered) return;
  await unlessRefused(log, "earlier proposals could not be closed", () =>
    supersede(proposals, { why: "there is nothing left to update" }, signal),
  );
}

/** An earlier run landed its commit and was ended before it had told so and tidied up. */
export async function tidyLanded(options: ConcludeOptions, signal: AbortSignal): Promise<void> {
  const { repository, branch: landsOn, journal } = options;
  const landing = journal.last("landing");
  if (landing === undefined || journal.last("ended") !== undefined) return;
  const tip = await repository.mirror.resolveBranch(landsOn, signal);
  await repository.mirror.ensureCommit(landing.commit, signal).catch(() => undefined);
  if (!(await repository.isAncestor(landing.commit, tip, signal))) return;
  const isTold = journal.entries.some(
    (entry) => entry.step === "announced" && entry.outcome === "landed" && entry.commit === landing.commit,
  );
  if (!isTold) {
    const inputs = landing.inputs ?? journal.last("candidate")?.inputs ?? [];
    const { base, commit } = landing;
    const branch = journal.last("branch-pushed")?.branch;
    await tellLanded(options, { base, commit, branch }, inputs, signal);
  }
  // After a part of it the rest was on the branch and in the pull request, and a new run looks after them.
  if (journal.last("candidate")?.commit === landing.commit) {
    await tidyUp(options, journal.last("branch-pushed")?.branch, landing.commit, signal);
  }
  await journal.append({ step: "ended", outcome: "landed" });
}

/**
 * What is refused stays as it is.
 *
 * @throws HomelabError `unavailable`
 */
async function tidyUp(
  { repository, proposals, log }: ConcludeOptions,
  updateBranch: BranchName | undefined,
  commit: Commit,
  signal: AbortSignal,
): Promise<void> {
  // First: a forge closes the pull requests of a branch that goes away, without a word.
  if (proposals !== undefined) {
    await unlessRefused(log, "earlier proposals could not be closed", () =>
      supersede(proposals, { why: `an update landed as ${proposals.forge.web.commit(commit)}` }, signal),
    );
  }
  if (updateBranch === undefined) return;
  await unlessRefused(log, "the update's branch could not be deleted", () =>
    deleteUpdateBranch(repository, updateBranch, commit, signal),
  );
}

async function unlessRefused(log: Log, what: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof HomelabError) || ["unavailable", "bug"].includes(error.kind)) throw error;
    log.warn({ err: error }, what);
  }
}
