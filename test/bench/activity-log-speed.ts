import { measureActivityLog } from "./activity-log.ts";
import { atLeast, type BenchResult } from "./bench.ts";

/** The best of each counts: enough of them that some are undisturbed. */
const rounds = 100;

const perSecond = (lines: number): string => `${Math.round(lines / 1000)}k lines/s`;

/** Nix's structured log, against the least that can be done with its lines. */
export function runActivityLogSpeed(): Promise<readonly BenchResult[]> {
  const { ours, plain, ratio } = measureActivityLog(rounds);
  return Promise.resolve([
    {
      what: "activity log of captured builds",
      ours: perSecond(ours),
      baseline: `${perSecond(plain)} JSON.parse alone`,
      ratio,
      goal: atLeast(ratio, 0.7),
    },
  ]);
}
