// How a host's part of a build, and a build, can end. A verdict never changes once it is published.
import * as v from "valibot";
import { internalCode } from "../base/errors.ts";

export const hostVerdicts = [
  /** Its closure was built or fetched, is valid in the store and held by a GC root. */
  "built",
  /** The same, and it was already valid before this build. */
  "unchanged",
  "eval-failed",
  "build-failed",
  "timed-out",
  /** Not the host's fault: disk, memory, daemon, network. */
  "infra-failed",
  "cancelled",
  /** No builder builds for its system. Exclude it in the configuration, and it is no longer expected. */
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

/**
 * How it ended, for people and dashboards. A bug in homelab-deploy is on the wire as `infra-failed` with the code
 * `INTERNAL`, so that readers that do not know the code take it for a missing verdict and never for a success. The
 * infrastructure is not to blame for it, and nobody is told so.
 */
export type HostOutcome = HostVerdict | "internal-error";
export const hostOutcomes: readonly HostOutcome[] = [...hostVerdicts, "internal-error"];
export type BuildOutcome = BuildVerdict | "internal-error";
export const buildOutcomes: readonly BuildOutcome[] = [...buildVerdicts, "internal-error"];

/** How a host's part or a build ended. A bug is said whatever else happened: nothing beside it can be relied on. */
export const outcomeOf = <Verdict extends string>({
  verdict,
  code,
}: {
  readonly verdict: Verdict;
  readonly code?: string;
}): Verdict | "internal-error" => (code === internalCode ? "internal-error" : verdict);

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
