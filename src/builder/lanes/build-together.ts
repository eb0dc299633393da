// One Nix process for several hosts, from what it is given to what happened to each host.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type {
  FailureAnalysis,
  NixActivity,
  RealiseOptions,
  RealiseResult,
  Realiser,
  SubstituterProbe,
} from "../../nix/realiser.ts";
import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { Priority } from "../../protocol/request.ts";
import { askApart } from "../checks/ask-apart.ts";
import { explainForeign } from "../checks/foreign-systems.ts";
import type { OtherBuilders } from "../other-builders.ts";
import { judgeHooks } from "../checks/hook-check.ts";
import { withValidOutput } from "../checks/valid-outputs.ts";
import { decideBuilt, hasFailedForGood, type Decision } from "../decide-verdicts.ts";
import { buildApart, suspectsOf } from "./build-apart.ts";
import { requireRoom, type DiskFloor } from "./disk-floor.ts";
import { failWork } from "../fail-work.ts";
import { createEarlyVerdicts } from "./early-verdicts.ts";
import { builtDerivations } from "./built-derivations.ts";
import { leaveOutMachines, type FailingMachines } from "./failing-machines.ts";
import type { FailedHooks } from "./failed-hooks.ts";
import { startRound, type RunningRound } from "./realise-round.ts";
import { reportFailures, reportKnownFailures } from "./failure-report.ts";
import type { NeedsOfHosts } from "./host-needs.ts";
import type { BuildProcess, HostWork, ReadyWork } from "../work.ts";
import { createLaneActivity } from "./lane-activity.ts";
import { learnDurations } from "./learn-durations.ts";
import { createMachineWatch, type OnRemoteBuild } from "./machine-watch.ts";
import { createSignatureWarnings } from "./untrusted-substituters.ts";
import type { UsualDurations } from "./usual-durations.ts";
import type { WorkBoard } from "../work-board.ts";
import {
  areAllDown,
  decideWait,
  needsSubstituter,
  type SubstituterDecision,
  type WithoutSubstituters,
} from "./wait-for-substituters.ts";

export interface BuildTogetherOptions {
  readonly board: WorkBoard;
  /** The priority of the lane that it is in. */
  readonly priority: Priority;
  readonly nix: Store & Realiser;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RealiseOptions;
  readonly durations: UsualDurations;
  readonly failedHooks: FailedHooks;
  readonly needs: NeedsOfHosts;
  readonly floor: DiskFloor;
  readonly withoutSubstituters: WithoutSubstituters;
  readonly otherBuilders?: OtherBuilders | undefined;
  readonly onRemoteBuild?: OnRemoteBuild | undefined;
  readonly failingMachines: FailingMachines;
}

/**
 * Builds until each host has a decision. When nobody wants one of them any more the process is stopped, and the
 * others are ready again: that costs them what is half built, but cancelled work would otherwise run for hours.
 */
export async function buildTogether(
  options: BuildTogetherOptions,
  works: readonly ReadyWork[],
  signal: AbortSignal,
): Promise<void> {
  const { board, nix, clock, log, priority } = options;
  const process: BuildProcess = { priority };
  for (const work of works) work.process = process;
  const undecided = new Set(works);
  const isOurs = (work: HostWork): boolean => work.process === process;
  /** Without a decision, and without a more urgent process that will find it. */
  const open = (): ReadyWork[] => [...undecided].filter(isOurs);
  const stop = new AbortController();
  const stopListening = board.onUnwanted((work) => {
    if (undecided.delete(work as ReadyWork) && isOurs(work)) stop.abort();
  });
  const building = AbortSignal.any([signal, stop.signal]);
  const settle = (decisions: ReadonlyMap<ReadyWork, Decision>): void => {
    const fresh = new Map([...decisions].filter(([work]) => isOurs(work) && undecided.delete(work)));
    if (fresh.size > 0) board.decide(fresh);
  };
  let round: RunningRound | undefined;
  const settleBuilt = async (asked: readonly ReadyWork[], until: AbortSignal): Promise<void> => {
    const wanted = asked.filter(
      (work) => undecided.has(work) && round?.isHookUndecided(work.evaluation.drvPath) !== true,
    );
    settle(await judgeHooks(options, await withValidOutput(nix, wanted, until), "built"));
  };

  let limits = options.limits;
  const machines = createMachineWatch((machine, news) => {
    options.failingMachines.observe(machine, news);
    options.onRemoteBuild?.(machine, news);
  });
  const early = createEarlyVerdicts(
    {
      open: () => (works.length > 1 ? open() : []),
      present: nix.present,
      clock,
      log,
      settleBuilt,
      async settleFailed(asked, result, until) {
        const tops = asked.map((work) => work.evaluation.drvPath);
        const analysis = await nix.findFailures(tops, result, limits, until);
        machines.learn(analysis, "running");
        const certain = asked.filter((work) => hasFailedForGood(work.evaluation.drvPath, analysis, result));
        settle(await decideFailed(options, certain, analysis, until));
      },
    },
    building,
  );
  const lane = createLaneActivity(options, works, building);
  const takeActivity = (event: NixActivity): void | Promise<void> => {
    machines.take(event);
    return lane.take(event);
  };
  try {
    settle(await reportKnownFailures(nix, works));
    if (open().length === 0) return;
    await requireRoom(options.floor);
    const probe = await nix.probeSubstituters(building);
    const waits = await decideWaits(options, open(), probe);
    // Perhaps a build of somebody else has made them meanwhile.
    await settleBuilt([...waits.keys()], building);
    const waiting = new Map([...waits].filter(([work]) => isOurs(work) && undecided.delete(work)));
    postpone(board, waiting);
    if (open().length === 0) return;
    limits = {
      ...options.limits,
      ...leaveOut(board, open(), probe),
      ...leaveOutMachines(options, open()),
    };
    const builds = new Set(open().flatMap((work) => [...work.watchers]));
    const warnOfSignatures = createSignatureWarnings((text) => board.warn(builds, text));
    const onActivity = (event: NixActivity, soFar: () => Promise<RealiseResult>): void | Promise<void> => {
      warnOfSignatures(event);
      early.take(event, soFar);
      return takeActivity(event);
    };
    const judge = async (
      asked: readonly ReadyWork[],
      result: RealiseResult,
      goesOn: boolean,
    ): Promise<void> => {
      await settleBuilt(asked, building);
      const unbuilt = (): ReadyWork[] => asked.filter((work) => undecided.has(work));
      const tops = unbuilt().map((work) => work.evaluation.drvPath);
      if (tops.length === 0) return;
      let analysis = await nix.findFailures(tops, result, limits, building);
      // A derivation that a hook interrupted is not a suspect.
      const suspects = goesOn ? [] : suspectsOf(analysis);
      if (suspects.length > 0) {
        const apart = await buildApart(options, suspects, limits, takeActivity, building);
        await settleBuilt(unbuilt(), building);
        analysis = await nix.findFailures(tops, { ...result, apart }, limits, building);
      }
      machines.learn(analysis, "over");
      options.failingMachines.learn(analysis);
      const decisions = await decideFailed(options, unbuilt(), analysis, building);
      settle(new Map([...decisions].filter(([, { type }]) => type === "verdict" || !goesOn)));
    };
    // A hook that fails ends Nix, and the next process builds what it interrupted. That does not count as an attempt.
    const hooksThatFailed = new Set<StorePath>();
    for (let goesOn = true; goesOn && open().length > 0;) {
      const drvPaths = [...new Set(open().map((work) => work.evaluation.drvPath))];
      round = startRound(options, drvPaths, limits, onActivity, building);
      const { result, failed } = await round.end;
      round = undefined;
      goesOn = failed.some(({ drvPath }) => !hooksThatFailed.has(drvPath));
      for (const { drvPath } of failed) hooksThatFailed.add(drvPath);
      if (!goesOn) await early.end();
      const ask = async (asked: readonly ReadyWork[]): Promise<void> =>
        result === undefined ? settleBuilt(asked, building) : judge(asked, result, goesOn);
      for (const { items, error } of await askApart(open(), ask, clock, building)) {
        settle(new Map(items.map((work) => [work, { type: "retry", reason: error.message }])));
      }
      if (result === undefined) continue;
      machines.ended(result, await builtDerivations(nix, machines.doubtful(), building));
      await learn(options, result, building);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (stop.signal.aborted) board.move(open(), "ready");
    else {
      if (round?.isStuck() === true) machines.hung();
      const failed = open();
      undecided.clear();
      failWork(options, failed, error);
    }
  } finally {
    await early.end();
    stopListening();
    machines.end();
    lane.end();
  }
}

/** Only for estimates: the hosts have their verdicts, with or without it. */
async function learn(
  { nix, log, durations }: BuildTogetherOptions,
  { started }: RealiseResult,
  signal: AbortSignal,
): Promise<void> {
  try {
    await learnDurations(nix, durations, started, signal);
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, "build durations cannot be recorded");
  }
}

async function decideFailed(
  { nix, log, otherBuilders }: Pick<BuildTogetherOptions, "nix" | "log" | "otherBuilders">,
  failed: readonly ReadyWork[],
  analysis: FailureAnalysis,
  signal: AbortSignal,
): Promise<ReadonlyMap<ReadyWork, Decision>> {
  const decisions = new Map(
    failed.map((work) => [work, decideBuilt(work.evaluation.drvPath, false, analysis)] as const),
  );
  await reportFailures({ nix, log }, decisions, analysis, signal);
  return explainForeign(decisions, otherBuilders, signal);
}

/** Which of these hosts wait for a substituter, and how. */
async function decideWaits(
  { nix, clock, withoutSubstituters }: BuildTogetherOptions,
  works: readonly ReadyWork[],
  probe: SubstituterProbe,
): Promise<ReadonlyMap<ReadyWork, SubstituterDecision>> {
  const waits = new Map<ReadyWork, SubstituterDecision>();
  const isDown = withoutSubstituters === "wait" && areAllDown(probe);
  for (const work of works) {
    if (!isDown || !(await needsSubstituter(nix, work.evaluation.drvPath))) {
      work.waitsSince = undefined;
      continue;
    }
    work.waitsSince ??= clock.monotonic();
    waits.set(work, decideWait(probe, clock.monotonic() - work.waitsSince));
  }
  return waits;
}

function postpone(board: WorkBoard, waits: ReadonlyMap<ReadyWork, SubstituterDecision>): void {
  const groups = Map.groupBy(waits, ([, decision]) =>
    decision.type === "wait" ? decision.delayMs : undefined,
  );
  for (const group of groups.values()) {
    const works = group.map(([work]) => work);
    const decision = group[0]?.[1];
    if (decision?.type === "wait") board.postpone(works, decision.reason, decision.delayMs);
    else if (decision !== undefined) board.decide(new Map(works.map((work) => [work, decision])));
  }
}

/** A substituter that does not answer is left out of this process, and the builds say so. */
function leaveOut(
  board: WorkBoard,
  works: readonly HostWork[],
  { use, dead }: SubstituterProbe,
): Pick<RealiseOptions, "substituters"> {
  const builds = new Set(works.flatMap((work) => [...work.watchers]));
  for (const { url, reason } of dead) board.warn(builds, `the substituter ${url} is left out: ${reason}`);
  return use === undefined ? {} : { substituters: use };
}
