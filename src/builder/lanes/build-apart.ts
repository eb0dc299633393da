// An error of Nix that names no derivation can be about any of those that were being built. Each of them is built once
// more, alone in its process: what is said there is about it, and the others get built.
import type { FailureAnalysis, Realiser, RealiseOptions, RealiseResult } from "../../nix/realiser.ts";
import type { StorePath } from "../../protocol/names.ts";
import { startRound, type RealiseRoundOptions } from "./realise-round.ts";

export interface BuildApartOptions extends RealiseRoundOptions {
  readonly nix: Pick<Realiser, "realise" | "slots">;
}

/** The derivations whose cause only a process of their own can tell. */
export const suspectsOf = ({ causes }: FailureAnalysis): readonly StorePath[] =>
  [...causes].filter(([, { kind }]) => kind === "unclear").map(([drvPath]) => drvPath);

/**
 * Builds them side by side, with one job each, as they were built before. One whose post-build-hook had to be ended is
 * built, and has no result. Where this machine builds nothing, it builds nothing now.
 */
export async function buildApart(
  options: BuildApartOptions,
  suspects: readonly StorePath[],
  limits: RealiseOptions,
  onActivity: Parameters<Realiser["realise"]>[2],
  signal: AbortSignal,
): Promise<ReadonlyMap<StorePath, RealiseResult>> {
  const withoutCounts: typeof onActivity = (activity, soFar) =>
    activity.type === "build-counts" || activity.type === "fetch-counts"
      ? undefined
      : onActivity(activity, soFar);
  const maxJobs = Math.min(1, limits.maxJobs ?? options.nix.slots.here);
  const rounds = await Promise.all(
    suspects.map(async (drvPath) => {
      const { end } = startRound(options, [drvPath], { ...limits, maxJobs }, withoutCounts, signal);
      return [drvPath, (await end).result] as const;
    }),
  );
  return new Map(
    rounds.flatMap(([drvPath, result]) => (result === undefined ? [] : [[drvPath, result] as const])),
  );
}
