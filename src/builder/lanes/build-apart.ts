// An error of Nix that names no derivation can be about any of those that were being built. Each of them is built once
// more, alone in its process: what is said there is about it, and the others get built.
import type {
  FailureAnalysis,
  NixActivity,
  Realiser,
  RealiseOptions,
  RealiseResult,
} from "../../nix/realiser.ts";
import type { StorePath } from "../../protocol/names.ts";

/** The derivations whose cause only a process of their own can tell. */
export const suspectsOf = ({ causes }: FailureAnalysis): readonly StorePath[] =>
  [...causes].filter(([, { kind }]) => kind === "unclear").map(([drvPath]) => drvPath);

/** Builds them side by side, with one job each, as they were built before. */
export async function buildApart(
  nix: Pick<Realiser, "realise">,
  suspects: readonly StorePath[],
  limits: RealiseOptions,
  onActivity: (activity: NixActivity) => void | Promise<void>,
  signal: AbortSignal,
): Promise<ReadonlyMap<StorePath, RealiseResult>> {
  const withoutCounts = (activity: NixActivity): void | Promise<void> =>
    activity.type === "build-counts" || activity.type === "fetch-counts" ? undefined : onActivity(activity);
  const results = suspects.map(
    async (drvPath) =>
      [drvPath, await nix.realise([drvPath], { ...limits, maxJobs: 1 }, withoutCounts, signal)] as const,
  );
  return new Map(await Promise.all(results));
}
