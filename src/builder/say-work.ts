// What the builds that watch some work are told about it: in their events, and in their progress.
import type { internalCode } from "../base/errors.ts";
import { boundedText, type FinishedHost, type HostRef } from "../protocol/events.ts";
import type { Decision } from "./decide-verdicts.ts";
import type { HostWork, RunningBuild } from "./work.ts";

/** A verdict; of a host that a bug of ours keeps from one, with the code that says so. */
export type FinalDecision = Omit<Decision & { readonly type: "verdict" }, "code"> & {
  readonly code?: typeof internalCode | (Decision & { readonly type: "verdict" })["code"];
};

/** The host as `hosts-finished` has it; cancelled where nothing was decided. */
export function finishedHost(
  { repo, host, evaluation }: HostWork,
  decision: FinalDecision | undefined,
  durationMs: number,
): FinishedHost {
  const verdict = decision?.verdict ?? "cancelled";
  return {
    repo,
    host,
    verdict,
    outPath: verdict === "built" || verdict === "unchanged" ? evaluation?.outPath : undefined,
    reason: decision?.reason && boundedText(decision.reason),
    details: decision?.details && boundedText(decision.details),
    warnings: decision?.warnings && bounded(decision.warnings, 300),
    cached: decision?.cached,
    statement: decision?.statement,
    code: decision?.code,
    durationMs,
  };
}

/** Nix's own bound is far higher: an event has some kilobytes for a host. */
const mostWarnings = 20;
const bounded = (warnings: readonly string[], longest: number): string[] =>
  warnings.slice(0, mostWarnings).map((text) => boundedText(text, longest));

export const refs = (works: readonly HostWork[]): HostRef[] =>
  works.map(({ repo, host }) => ({ repo, host }));

/** Says something to each build that watches some of the work, of what it watches. */
export function eachBuild(
  works: readonly HostWork[],
  say: (build: RunningBuild, works: HostWork[]) => void,
): void {
  const groups = new Map<RunningBuild, HostWork[]>();
  for (const work of works) {
    for (const build of work.watchers) {
      const group = groups.get(build);
      if (group === undefined) groups.set(build, [work]);
      else group.push(work);
    }
  }
  for (const [build, group] of groups) say(build, group);
}

export function sayEvaluated(build: RunningBuild, works: readonly HostWork[], durationMs: number): void {
  const hosts = works.flatMap(({ repo, host, evaluation, remembered }) =>
    evaluation === undefined
      ? []
      : [
          {
            repo,
            host,
            drvPath: evaluation.drvPath,
            outPath: evaluation.outPath,
            remembered,
            warnings: evaluation.warnings.length === 0 ? undefined : bounded(evaluation.warnings, 2000),
          },
        ],
  );
  if (hosts.length > 0) build.record.emit({ type: "evaluated", hosts, durationMs: Math.round(durationMs) });
}

/** Hosts that are named as being evaluated. */
const mostEvaluating = 64;

export function reportEvaluations(build: RunningBuild): void {
  build.progress.evaluations(() => {
    const running: HostRef[] = [];
    let waiting = 0;
    for (const work of build.open.values()) {
      if (work.evaluation === undefined) waiting++;
      if (work.stage === "evaluating" && running.length < mostEvaluating)
        running.push({ repo: work.repo, host: work.host });
    }
    return { done: build.hosts.length - waiting, total: build.hosts.length, running };
  });
}
