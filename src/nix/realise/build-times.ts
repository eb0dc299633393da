import type { Clock } from "../../base/clock.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { NixActivity, StartedDerivation } from "../realiser.ts";

interface Times {
  readonly startedAt: number;
  readonly lastOutputAt: number;
  readonly endedAt?: number;
  readonly phase?: string;
}

/** Measures builds by when their activities arrive. */
export interface BuildTimes {
  take(activity: NixActivity): void;
  /** Of all that started; one that has not ended has lasted until now. */
  read(): ReadonlyMap<StorePath, StartedDerivation>;
}

/**
 * Nix 2.8 and 2.26 end the activity of a derivation that was asked for only when all of them are done, so that such
 * a build seems longer than it was, and silent at its end.
 */
export function createBuildTimes(clock: Pick<Clock, "monotonic">): BuildTimes {
  const builds = new Map<StorePath, Times>();

  function change(drvPath: StorePath, changed: Partial<Times>): void {
    const times = builds.get(drvPath);
    if (times !== undefined) builds.set(drvPath, { ...times, ...changed });
  }

  return {
    take(activity) {
      const now = clock.monotonic();
      if (activity.type === "derivation-started") {
        builds.set(activity.drvPath, { startedAt: now, lastOutputAt: now });
      } else if (activity.type === "phase") {
        change(activity.drvPath, { lastOutputAt: now, phase: activity.phase });
      } else if (activity.type === "log-line") {
        change(activity.drvPath, { lastOutputAt: now });
      } else if (activity.type === "derivation-stopped") {
        change(activity.drvPath, { endedAt: now });
      }
    },
    read() {
      const now = clock.monotonic();
      return new Map(
        [...builds].map(([drvPath, { startedAt, lastOutputAt, endedAt = now, phase }]) => [
          drvPath,
          {
            durationMs: endedAt - startedAt,
            silentMs: endedAt - lastOutputAt,
            phase,
          },
        ]),
      );
    },
  };
}
