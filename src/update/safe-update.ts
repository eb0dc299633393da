// The safe update as an operator knows it: one at a time, landed or proposed, told, and tidied up after.
import type { Log } from "../base/log.ts";
import type { Forge } from "../forge/forge.ts";
import { tidyBranches } from "./branch/tidy-branches.ts";
import {
  conclude,
  concludeDryRun,
  tidyLanded,
  type ConcludeOptions,
  type SafeUpdateResult,
} from "./conclude.ts";
import { tellStatus } from "./land/commit-statuses.ts";
import { createLanding } from "./land/landing.ts";
import type { LandingWay } from "./land/refusal-advice.ts";
import { acquireLease, type LeaseOptions } from "./lease.ts";
import type { StaleSettings } from "./propose/decide-pull-requests.ts";
import { requireRepository } from "./propose/require-repository.ts";
import { branchesOfPeople, tendStale, type TendOptions } from "./propose/tend-proposals.ts";
import { announce, announceError, announceValidated } from "./tell/announce.ts";
import type { Outbox } from "../notify/outbox.ts";
import type { UpdateEvent } from "../protocol/update-events.ts";
import { runUpdate } from "./update-run.ts";
import { dropSearchBranches } from "./branch/update-branch.ts";
import { withdrawBranch } from "./branch/withdraw-branch.ts";
import type {
  Describe,
  Explain,
  Judging,
  Publishing,
  Run,
  Searching,
  Source,
  UpdateResult,
} from "./update.ts";

export interface SafeUpdateOptions {
  readonly run: Run;
  readonly source: Source;
  readonly judging: Judging;
  readonly searching: Searching;
  /** How what builds gets onto the branch. */
  readonly landing: LandingWay;
  readonly proposing: Proposing;
  /** Says what a landed update changes on the hosts. */
  readonly explain: Explain;
  readonly outbox: Pick<Outbox<UpdateEvent>, "put" | "flush">;
  readonly lease: Leasing;
  /** Nothing leaves this machine. */
  readonly dryRun: boolean;
}

export interface Proposing {
  /** Where proposals are made; without it they stay on their branch. */
  readonly forge: Forge | undefined;
  readonly stale: StaleSettings;
  readonly describe: Describe;
}

export interface Leasing extends Pick<LeaseOptions, "isAlive"> {
  /** Our name, for others that want to update too. */
  readonly self: Omit<LeaseOptions["self"], "run">;
}

/**
 * @throws HomelabError `unavailable` `UPDATE_RUNNING` while another runs, and for infrastructure faults: nothing has
 *   landed then and no pull request was opened, and the next run continues.
 */
export async function safeUpdate(options: SafeUpdateOptions, signal: AbortSignal): Promise<SafeUpdateResult> {
  const { run, source, judging, searching } = options;
  if (options.dryRun) {
    return concludeDryRun(
      await runUpdate({ run, source, judging, searching, publishing: undefined }, signal),
    );
  }
  try {
    return await updateAlone(options, signal);
  } catch (error) {
    const { telling } = concludeOptions(options);
    await orWarn(run.log, "the failure could not be reported", () => announceError(telling, error, signal));
    throw error;
  }
}

async function updateAlone(options: SafeUpdateOptions, signal: AbortSignal): Promise<SafeUpdateResult> {
  const { run, source, judging, searching, outbox, lease } = options;
  const { journal, clock, log } = run;
  const { repository, branch, author } = source;
  const { forge, stale } = options.proposing;
  if (forge !== undefined) await requireRepository(forge, signal);
  const base = await repository.mirror.resolveBranch(branch, signal);
  const name = journal.last("ended") === undefined ? (journal.last("started")?.run ?? "new") : "new";
  const self = { ...lease.self, run: name };
  const { isAlive } = lease;
  await using held = await acquireLease({ repository, base, self, author, isAlive, clock, log }, signal);
  const running = AbortSignal.any([signal, held.lost]);
  await outbox.flush(running);
  const concluding = concludeOptions(options);
  await tidyLanded(concluding, running);
  const publishing = publishingOf(options);
  const result = await leavingNoTraces(options, running, () =>
    runUpdate({ run, source, judging, searching, publishing }, running),
  );
  const concluded = await conclude(concluding, result, running);
  if (forge !== undefined && concluded.type !== "infra") {
    const current = concluded.type === "proposed" ? concluded : {};
    await orWarn(log, "earlier proposals could not be tended", () =>
      tendStale(tendOptions(options, forge), stale, current, running),
    );
    await orWarn(log, "old branches of updates could not be deleted", () =>
      tidyBranches({ repository, branch, author, journal, clock, log, forge }, running),
    );
  }
  // After old proposals were tended, so that it says which are open.
  const { telling } = concluding;
  if (concluded.type === "no-change") {
    await announce(telling, { outcome: "no-change", base: concluded.base }, running);
  }
  if (concluded.type === "declined") {
    const { url, validated } = concluded;
    await announceValidated(telling, validated, { outcome: "declined", url }, running);
  }
  return concluded;
}

/** Without a verdict nothing stays on the remote, and nothing of a search ever does. */
async function leavingNoTraces(
  { run: { journal, log }, source: { repository, author } }: SafeUpdateOptions,
  signal: AbortSignal,
  update: () => Promise<UpdateResult>,
): Promise<UpdateResult> {
  const withdraw = async (): Promise<void> =>
    orWarn(log, "the branch of an update without a verdict could not be taken back", () =>
      withdrawBranch({ repository, journal }, signal),
    );
  try {
    const result = await update();
    if (result.type === "infra") await withdraw();
    return result;
  } catch (error) {
    if (!signal.aborted) await withdraw();
    throw error;
  } finally {
    if (!signal.aborted) {
      await orWarn(log, "the branches of a search could not be deleted", () =>
        dropSearchBranches({ repository, author }, signal),
      );
    }
  }
}

function publishingOf(options: SafeUpdateOptions): Publishing {
  const { run, source, landing } = options;
  const { repository, branch, author } = source;
  const { forge, describe } = options.proposing;
  const { clock, log } = run;
  return {
    land: createLanding({ way: landing, repository, branch, author, forge, describe, clock, log }),
    tellStatus: async (commit, status, signal) => tellStatus({ forge, log }, commit, status, signal),
    branchesOfPeople: async (signal) =>
      forge === undefined ? new Set() : branchesOfPeople(tendOptions(options, forge), signal),
  };
}

function concludeOptions(options: SafeUpdateOptions): ConcludeOptions {
  const { run, source, explain, outbox } = options;
  const { journal, clock, log } = run;
  const { repo, branch, repository } = source;
  const { forge, describe } = options.proposing;
  return {
    journal,
    log,
    repository,
    branch,
    describe,
    explain,
    proposals: forge === undefined ? undefined : { ...tendOptions(options, forge), journal },
    telling: { repo, branch, journal, clock, outbox, forge },
  };
}

const tendOptions = ({ run, source }: SafeUpdateOptions, forge: Forge): TendOptions => ({
  forge,
  repository: source.repository,
  branch: source.branch,
  author: source.author,
  clock: run.clock,
  log: run.log,
});

/** For what a later run makes up for. */
async function orWarn(log: Log, what: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    log.warn({ err: error }, what);
  }
}
