// The safe update as an operator knows it: one at a time, landed or proposed, told, and tidied up after.
import type { ProposalContext, Found, UpdateOptions, UpdateResult, Validated } from "./update.ts";
import type { Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Forge } from "../forge/forge.ts";
import type { BranchName, Commit } from "../protocol/names.ts";
import { announce, announceError, announceValidated } from "./tell/announce.ts";
import type { Hindrance } from "./judge/decide-hindrance.ts";
import type { StaleSettings } from "./propose/decide-pull-requests.ts";
import { acquireLease, type Holder } from "./lease.ts";
import { tellStatus } from "./land/commit-statuses.ts";
import { createLanding } from "./land/landing.ts";
import type { Outbox } from "./tell/outbox.ts";
import { requireRepository } from "./propose/require-repository.ts";
import type { LandingWay } from "./land/refusal-advice.ts";
import {
  branchesOfPeople,
  propose,
  supersede,
  tendStale,
  type Proposal,
  type ProposeOptions,
} from "./propose/propose.ts";
import { tidyBranches } from "./branch/tidy-branches.ts";
import { deleteUpdateBranch } from "./branch/update-branch.ts";
import { runUpdate } from "./update-run.ts";

export interface SafeUpdateOptions extends Omit<UpdateOptions, "land" | "tellStatus" | "branchesOfPeople"> {
  /** How what builds gets onto the branch. */
  readonly landing: LandingWay;
  /** Where proposals are made; without it they stay on their branch. */
  readonly forge: Forge | undefined;
  readonly stale: StaleSettings;
  readonly outbox: Outbox;
  /** Who we are, for others that want to update too. */
  readonly self: Omit<Holder, "expiresAt" | "run">;
  readonly isAlive: (pid: number) => boolean;
  /** The report of what was validated, as a pull request says it; also written for those who look here. */
  readonly describe: (
    validated: Validated,
    context: ProposalContext,
    signal: AbortSignal,
  ) => Promise<Proposal>;
  readonly clock: Clock;
  readonly log: Log;
}

export type SafeUpdateResult =
  | { readonly type: "no-change"; readonly base: Commit }
  | ({ readonly type: "landed" } & Told)
  | ({
      readonly type: "proposed";
      readonly branch: BranchName;
      readonly url?: string;
      readonly why?: Hindrance;
      readonly found?: Found;
    } & Told)
  /** A person closed a proposal of the same lock. */
  | ({ readonly type: "declined"; readonly url: string; readonly found?: Found } & Told)
  | ({ readonly type: "infra"; readonly found?: Found } & Told)
  | ({ readonly type: "dry-run"; readonly wouldLand: boolean; readonly why?: Hindrance } & Told);

interface Told {
  readonly validated: Validated;
}

/**
 * @throws HomelabError `unavailable` `UPDATE_RUNNING` while another runs, and for infrastructure faults: nothing has
 *   landed then and no pull request was opened, and the next run goes on.
 */
export async function safeUpdate(options: SafeUpdateOptions, signal: AbortSignal): Promise<SafeUpdateResult> {
  if (options.dryRun) return concludeDryRun(await runUpdate(runOptions(options), signal));
  try {
    return await updateAlone(options, signal);
  } catch (error) {
    await orWarn(options, "the failure could not be told", () => announceError(options, error, signal));
    throw error;
  }
}

async function updateAlone(options: SafeUpdateOptions, signal: AbortSignal): Promise<SafeUpdateResult> {
  const { repository, branch, outbox, journal, forge } = options;
  if (forge !== undefined) await requireRepository(forge, signal);
  const base = await repository.mirror.resolveBranch(branch, signal);
  const run = journal.last("ended") === undefined ? (journal.last("started")?.run ?? "new") : "new";
  await using lease = await acquireLease({ ...options, base, self: { ...options.self, run } }, signal);
  const running = AbortSignal.any([signal, lease.lost]);
  await outbox.flush(running);
  await tidyLanded(options, running);
  const result = await runUpdate(runOptions(options), running);
  const concluded = await conclude(options, result, running);
  if (forge !== undefined && concluded.type !== "infra") {
    await orWarn(options, "earlier proposals could not be tended", () =>
      tendStale(proposeOptions(options, forge), running),
    );
    await orWarn(options, "old branches of updates could not be deleted", () =>
      tidyBranches({ ...options, forge }, running),
    );
  }
  // After old proposals were tended, so that it says which are open.
  if (concluded.type === "no-change") {
    await announce(options, { outcome: "no-change", base: concluded.base }, running);
  }
  if (concluded.type === "declined") {
    const { url, validated } = concluded;
    await announceValidated(options, validated, { outcome: "declined", url }, running);
  }
  return concluded;
}

const runOptions = (options: SafeUpdateOptions): UpdateOptions => ({
  ...options,
  land: createLanding({
    ...options,
    way: options.landing,
    describe: async (validated, branch, signal) => options.describe(validated, { branch }, signal),
    propose: (forge) => proposeOptions(options, forge),
  }),
  tellStatus: async (commit, status, signal) => tellStatus(options, commit, status, signal),
  branchesOfPeople: async (signal) =>
    options.forge === undefined
      ? new Set()
      : branchesOfPeople(proposeOptions(options, options.forge), signal),
});

function concludeDryRun(result: UpdateResult): SafeUpdateResult {
  if (result.type === "no-change") return result;
  const { wouldLand, why } = result.type === "dry-run" ? result : { wouldLand: false };
  return { type: "dry-run", wouldLand, ...(why === undefined ? {} : { why }), validated: result };
}

async function conclude(
  options: SafeUpdateOptions,
  result: UpdateResult,
  signal: AbortSignal,
): Promise<SafeUpdateResult> {
  if (result.type === "no-change") return result;
  const { found } = { found: undefined, ...result };
  if (found?.landed !== undefined) {
    const { commit, inputs } = found.landed;
    const { base } = result.candidate;
    await announce(options, { outcome: "landed", base, commit, inputs: [...inputs] }, signal);
  }
  const because = found === undefined ? {} : { found };
  switch (result.type) {
    case "landed":
      return concludeLanded(options, result, signal);
    case "infra":
      await announceValidated(
        options,
        result,
        { outcome: "failed", reason: "some hosts have no verdict" },
        signal,
      );
      return { type: "infra", validated: result, ...because };
    case "not-landed":
      return concludeProposal(
        options,
        result,
        { ...because, branch: result.branch, why: result.why },
        signal,
      );
    case "broken":
      return concludeProposal(options, result, result, signal);
    case "dry-run":
      return concludeDryRun(result);
  }
}

/** It is on the branch: what cannot be reached from here on is tidied up by the next run. */
async function concludeLanded(
  options: SafeUpdateOptions,
  validated: Extract<UpdateResult, { type: "landed" }>,
  signal: AbortSignal,
): Promise<SafeUpdateResult> {
  await announceValidated(options, validated, { outcome: "landed" }, signal);
  await orWarn(options, "what is left of a landed update could not be tidied up", async () => {
    await tidyUp(options, validated.branch, validated.candidate.commit, signal);
    await options.journal.append({ step: "ended", outcome: "landed" });
  });
  return { type: "landed", validated };
}

/**
 * What is refused stays as it is.
 *
 * @throws HomelabError `unavailable`
 */
async function tidyUp(
  options: SafeUpdateOptions,
  updateBranch: BranchName | undefined,
  commit: Commit,
  signal: AbortSignal,
): Promise<void> {
  const { repository, forge } = options;
  // First: a forge closes the pull requests of a branch that goes away, without a word.
  if (forge !== undefined) {
    await unlessRefused(options, "earlier proposals could not be closed", () =>
      supersede(proposeOptions(options, forge), { by: forge.web.commit(commit) }, signal),
    );
  }
  if (updateBranch === undefined) return;
  await unlessRefused(options, "the update's branch could not be deleted", () =>
    deleteUpdateBranch(repository, updateBranch, commit, signal),
  );
}

async function concludeProposal(
  options: SafeUpdateOptions,
  validated: Validated,
  context: ProposalContext,
  signal: AbortSignal,
): Promise<SafeUpdateResult> {
  const { forge, journal } = options;
  const { branch, why, found } = context;
  const proposal = await options.describe(validated, context, signal);
  const because = { ...(why === undefined ? {} : { why }), ...(found === undefined ? {} : { found }) };
  if (forge === undefined) {
    const reason = why?.message ?? "it does not build on every host";
    await announceValidated(options, validated, { outcome: "proposed", reason }, signal);
    await journal.append({ step: "ended", outcome: "proposed" });
    return { type: "proposed", branch, validated, ...because };
  }
  const proposed = await propose(
    proposeOptions(options, forge),
    branch,
    validated.candidate.commit,
    proposal,
    signal,
  );
  const { url } = proposed.pullRequest;
  if (proposed.type === "declined") {
    await journal.append({ step: "ended", outcome: "declined" });
    return { type: "declined", url, validated, ...because };
  }
  const reason = why?.message ?? proposal.title;
  await announceValidated(options, validated, { outcome: "proposed", url, reason }, signal);
  await journal.append({ step: "ended", outcome: "proposed" });
  return { type: "proposed", branch, url, validated, ...because };
}

const proposeOptions = (options: SafeUpdateOptions, forge: Forge): ProposeOptions => ({
  forge,
  repository: options.repository,
  journal: options.journal,
  base: options.branch,
  author: options.author,
  stale: options.stale,
  now: () => options.clock.now(),
  log: options.log,
});

/** An earlier run landed its commit and was ended before it had told so and tidied up. */
async function tidyLanded(options: SafeUpdateOptions, signal: AbortSignal): Promise<void> {
  const { repository, branch, journal } = options;
  const landing = journal.last("landing");
  if (landing === undefined || journal.last("ended") !== undefined) return;
  const tip = await repository.mirror.resolveBranch(branch, signal);
  await repository.mirror.ensureCommit(landing.commit, signal).catch(() => undefined);
  if (!(await repository.isAncestor(landing.commit, tip, signal))) return;
  const isTold = journal.entries.some(
    (entry) => entry.step === "announced" && entry.outcome === "landed" && entry.commit === landing.commit,
  );
  if (!isTold) {
    const inputs = journal.last("candidate")?.inputs ?? [];
    await announce(
      options,
      { outcome: "landed", base: landing.base, commit: landing.commit, inputs },
      signal,
    );
  }
  // After a part of it the rest was on the branch and in the pull request, and a new run looks after them.
  if (journal.last("candidate")?.commit === landing.commit) {
    await tidyUp(options, journal.last("branch-pushed")?.branch, landing.commit, signal);
  }
  await journal.append({ step: "ended", outcome: "landed" });
}

async function unlessRefused(
  options: SafeUpdateOptions,
  what: string,
  act: () => Promise<unknown>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof HomelabError) || ["unavailable", "bug"].includes(error.kind)) throw error;
    options.log.warn({ err: error }, what);
  }
}

/** For what a later run makes up for. */
async function orWarn(options: SafeUpdateOptions, what: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    options.log.warn({ err: error }, what);
  }
}
