// How a host's part of a build, and a build, can end. A verdict never changes once it is published.
import * as v from "valibot";

export const hostVerdicts = [
  /** Its closure was built or fetched, is valid in the store and held by a GC root. */
  "built",
  /** The same, and it already was before this build. */
  "unchanged",
  "eval-failed",
  "build-failed",
  "timed-out",
  /** Not the host's fault: disk, memory, daemon, network. */
  "infra-failed",
  "cancelled",
  /** There is no builder for its system. Leave it out by configuration, and it is not expected any more. */
  "skipped",
] as const;
export const HostVerdict = v.picklist(hostVerdicts);
export type HostVerdict = v.InferOutput<typeof HostVerdict>;

export const buildVerdicts = [
  "succeeded",
  "failed",
  "infra-failed",
  "cancelled",
  "rejected",
  "expired",
] as const;
export const BuildVerdict = v.picklist(buildVerdicts);
export type BuildVerdict = v.InferOutput<typeof BuildVerdict>;

export const isSuccess = (verdict: HostVerdict): verdict is "built" | "unchanged" =>
  verdict === "built" || verdict === "unchanged";

/** It failed by the host's own fault: building it again from the same commit fails again. */
export const isOwnFault = (verdict: HostVerdict): boolean =>
  verdict === "eval-failed" || verdict === "build-failed" || verdict === "timed-out";

/**
 * The verdict of a build whose hosts all have theirs. A missing verdict must be given as `undefined`: it counts
 * as an infrastructure fault, never as success, and so does one that was skipped. A build of no hosts did not
 * succeed either.
 */
export function decideBuildVerdict(
  verdicts: readonly (HostVerdict | undefined)[],
): Exclude<BuildVerdict, "rejected" | "expired"> {
  if (verdicts.some((verdict) => verdict !== undefined && isOwnFault(verdict))) return "failed";
  if (verdicts.includes("cancelled")) return "cancelled";
  if (verdicts.some((verdict) => verdict === undefined || !isSuccess(verdict))) return "infra-failed";
  return verdicts.length > 0 ? "succeeded" : "infra-failed";
}
