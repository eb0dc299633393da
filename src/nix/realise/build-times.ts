import type { Clock } from "../../base/clock.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { NixActivity, StartedDerivation } from "../realiser.ts";

interface Times {
  readonly startedAt: number;
  readonly lastOutputAt: number;
  readonly endedAt?: number;
  readonly phase?: string;
  readonly isMeasured: boolean;
  readonly machine?: string;
}

/** Measures builds by when their activities arrive. */
export interface BuildTimes {
  take(activity: NixActivity): void;
  /** Nix's output was not read for so long: what comes next happened some time ago. */
  stalled(milliseconds: number): void;
  /** All derivations that started. One that has not ended is counted up to now. */
  read(): ReadonlyMap<StorePath, StartedDerivation>;
}

/** How wrong a duration may be, and how long after a stall the lines are still old ones. */
const toleranceMs = 1000;

/**
 * @param endsLate derivations of which this Nix may say only at its own end that they have ended, so that their builds
 *   seem longer than they were, and silent at their ends
 */
export function createBuildTimes(
  clock: Pick<Clock, "monotonic">,
  endsLate: ReadonlySet<StorePath> = new Set(),
): BuildTimes {
  const builds = new Map<StorePath, Times>();
  let lateUntil = Number.NEGATIVE_INFINITY;

  function change(drvPath: StorePath, changed: (times: Times) => Partial<Times>): void {
    const times = builds.get(drvPath);
    if (times !== undefined) builds.set(drvPath, { ...times, ...changed(times) });
  }

  return {
    take(activity) {
      const now = clock.monotonic();
      const isMeasured = now >= lateUntil;
      if (activity.type === "derivation-started") {
        const { drvPath, machine } = activity;
        builds.set(drvPath, { startedAt: now, lastOutputAt: now, machine, isMeasured });
      } else if (activity.type === "phase") {
        change(activity.drvPath, () => ({ lastOutputAt: now, phase: activity.phase }));
      } else if (activity.type === "log-lines") {
        change(activity.drvPath, () => ({ lastOutputAt: now }));
      } else if (activity.type === "hook-started") {
        // Behind the build, and no part of it.
        change(activity.drvPath, (times) => ({ endedAt: now, isMeasured: times.isMeasured && isMeasured }));
      } else if (activity.type === "derivation-stopped") {
        const { drvPath } = activity;
        change(drvPath, (times) =>
          times.endedAt === undefined
            ? { endedAt: now, isMeasured: times.isMeasured && isMeasured && !endsLate.has(drvPath) }
            : {},
        );
      }
    },
    stalled(milliseconds) {
      if (milliseconds > toleranceMs) lateUntil = clock.monotonic() + toleranceMs;
    },
    read() {
      const now = clock.monotonic();
      return new Map(
        [...builds].map(([drvPath, { startedAt, lastOutputAt, endedAt, phase, machine, isMeasured }]) => [
          drvPath,
          {
            durationMs: (endedAt ?? now) - startedAt,
            silentMs: (endedAt ?? now) - lastOutputAt,
            phase,
            end: endedAt === undefined ? undefined : isMeasured ? "known" : "late",
            machine,
          },
        ]),
      );
    },
  };
}
