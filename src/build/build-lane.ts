// A lane: one Nix process at a time, with every derivation that is ready. More processes would only wait for each
// other's locks. There is a lane for interactive and one for batch work, so neither waits for the other.
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Nix, RealiseOptions, RealiseResult } from "../nix/nix.ts";
import type { StorePath } from "../protocol/names.ts";
import type { Priority } from "../protocol/request.ts";
import { decideBuilt, type Decision } from "./decide-verdicts.ts";
import { reportFailures } from "./failure-report.ts";
import { priorityOf, type HostWork } from "./host-work.ts";
import { createLaneActivity } from "./lane-activity.ts";
import { isEvaluated } from "./output-check.ts";
import type { WorkBoard } from "./work-board.ts";

export interface BuildLaneOptions {
  readonly board: WorkBoard;
  readonly nix: Nix;
  readonly clock: Clock;
  readonly log: Log;
  readonly priority: Priority;
  readonly limits: RealiseOptions;
}

export type ReadyWork = HostWork & { readonly evaluation: NonNullable<HostWork["evaluation"]> };

/** How long a finished toplevel may wait for others to be asked for in the same question. */
const earlyVerdictMs = 300;

/** Builds what is ready in this lane until the signal aborts. */
export async function runBuildLane(options: BuildLaneOptions, signal: AbortSignal): Promise<void> {
  const { board, priority } = options;
  for (;;) {
    const ready = board
      .inStage("ready")
      .filter(isEvaluated)
      .filter((work) => priorityOf(work) === priority);
    if (ready.length === 0) {
      await board.bells[priority].wait(signal);
      continue;
    }
    board.move(ready, "building");
    await buildTogether(options, new Set(ready), signal);
  }
}

/** `open` holds the hosts without a decision; what is left in it when the process was stopped is ready again. */
async function buildTogether(
  options: BuildLaneOptions,
  open: Set<ReadyWork>,
  signal: AbortSignal,
): Promise<void> {
  const { board, nix, clock, log, limits } = options;
  const stop = new AbortController();
  const stopListening = board.onUnwanted((work) => {
    // Stopping costs the others what is half built; not stopping would let cancelled work run for hours.
    if (open.delete(work as ReadyWork)) stop.abort();
  });
  const building = AbortSignal.any([signal, stop.signal]);

  const settle = (work: ReadyWork, decision: Decision): void => {
    if (open.delete(work)) board.decide(new Map([[work, decision]]));
  };
  async function settleBuilt(works: readonly ReadyWork[]): Promise<void> {
    const valid = await nix.validPaths(
      works.map((work) => work.evaluation.outPath),
      building,
    );
    for (const work of works) {
      if (valid.has(work.evaluation.outPath)) settle(work, { type: "verdict", verdict: "built" });
    }
  }

  const all = [...open];
  const activity = createLaneActivity(all, nix, building);
  const tops = new Map(all.map((work) => [work.evaluation.drvPath, work]));
  const done = new Set<ReadyWork>();
  const ended = new AbortController();
  let early: Promise<void> | undefined;
  const checkEarly = async (): Promise<void> => {
    await clock.sleep(earlyVerdictMs, AbortSignal.any([building, ended.signal]));
    const works = [...done].filter((work) => open.has(work));
    done.clear();
    if (works.length > 0) await settleBuilt(works);
  };

  try {
    const limitsNow = { ...limits, ...(await withoutDeadSubstituters(options, all, building)) };
    const drvPaths = [...tops.keys()];
    const result = await nix.realise(
      drvPaths,
      limitsNow,
      (event) => {
        const top = event.type === "derivation-stopped" ? tops.get(event.drvPath) : undefined;
        if (top !== undefined && open.size > 1) {
          done.add(top);
          early ??= checkEarly()
            .catch((error: unknown) =>
              log.debug({ error: messageOf(error) }, "early verdicts were not possible"),
            )
            .finally(() => (early = undefined));
        }
        return activity.take(event);
      },
      building,
    );
    ended.abort();
    await early;
    await settleBuilt([...open]);
    await settleFailed(options, open, { result, limits: limitsNow, settle, activity }, building);
  } catch (error) {
    signal.throwIfAborted();
    if (stop.signal.aborted) board.move([...open], "ready");
    else for (const work of open) settle(work, { type: "retry", reason: messageOf(error) });
  } finally {
    stopListening();
    activity.end();
  }
}

interface FailedProcess {
  readonly result: RealiseResult;
  readonly limits: RealiseOptions;
  readonly settle: (work: ReadyWork, decision: Decision) => void;
  readonly activity: ReturnType<typeof createLaneActivity>;
}

async function settleFailed(
  { nix, log }: BuildLaneOptions,
  open: ReadonlySet<ReadyWork>,
  { result, limits, settle }: FailedProcess,
  signal: AbortSignal,
): Promise<void> {
  if (open.size === 0) return;
  const failed = [...open];
  const tops: StorePath[] = failed.map((work) => work.evaluation.drvPath);
  const analysis = await nix.findFailures(tops, result, limits, signal);
  const decisions = new Map(
    failed.map((work) => [work, decideBuilt(work.evaluation.drvPath, false, analysis)] as const),
  );
  await reportFailures({ nix, log }, decisions, analysis, signal);
  for (const [work, decision] of decisions) settle(work, decision);
}

/** A substituter that does not answer is left out of this process, and the builds say so. */
async function withoutDeadSubstituters(
  { board, nix }: BuildLaneOptions,
  works: readonly HostWork[],
  signal: AbortSignal,
): Promise<Pick<RealiseOptions, "substituters">> {
  const { use, dead } = await nix.probeSubstituters(signal);
  const builds = new Set(works.flatMap((work) => [...work.watchers]));
  for (const { url, reason } of dead) board.warn(builds, `the substituter ${url} is left out: ${reason}`);
  return use === undefined ? {} : { substituters: use };
}
