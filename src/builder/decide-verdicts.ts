// From facts about a finished Nix process to what happens to each host.
import { isBug, messageOf } from "../base/errors.ts";
import type { EvaluationFailure } from "../nix/evaluator.ts";
import type { FailureAnalysis, FailureCause, RealiseResult } from "../nix/realiser.ts";
import type { SignedStatement } from "../protocol/deploy/statement.ts";
import type { StorePath } from "../protocol/names.ts";
import type { HostVerdict } from "../protocol/verdicts.ts";

export type Decision =
  | {
      readonly type: "verdict";
      readonly verdict: HostVerdict;
      readonly reason?: string;
      readonly details?: string;
      /** The warnings of a host that did not evaluate; one that did has said them before. */
      readonly warnings?: readonly string[];
      /** For a success: the cache was proven to serve it. For a failure: it was not, and that is the reason. */
      readonly cached?: boolean;
      /** The statement of a host at the tip of its branch that the cache was proven to serve. */
      readonly statement?: SignedStatement;
      /** The system that nothing here builds for, of a skipped host. */
      readonly foreignSystem?: string;
      /** The code of a fault that a person has to fix first: retrying does not help. */
      readonly code?: "INPUT_DENIED";
    }
  /** The infrastructure failed it: it is retried while attempts are left. */
  | { readonly type: "retry"; readonly reason: string; readonly cached?: false }
  /** Another host's failure ended the process that would have built it: to be built at once, as before. */
  | { readonly type: "again"; readonly reason: string }
  /** A bug in homelab-deploy: neither the host's fault nor the infrastructure's, and trying again would meet it again. */
  | { readonly type: "bug"; readonly reason: string };

/** Decides about hosts when something was thrown while they were worked on. */
export const decideThrown = (thrown: unknown): Extract<Decision, { type: "bug" | "retry" }> =>
  isBug(thrown) ? { type: "bug", reason: bugReason(thrown) } : { type: "retry", reason: messageOf(thrown) };

/** The reason that events give for a bug. */
export const bugReason = (thrown: unknown): string => `internal error: ${messageOf(thrown)}`;

/**
 * What happens to a host after Nix tried to build it: `built` only when its output is valid. Its own failure
 * beats everything else, because trying again cannot fix it; no known cause is an infrastructure fault.
 */
export function decideBuilt(drvPath: StorePath, isValid: boolean, analysis: FailureAnalysis): Decision {
  if (isValid) return { type: "verdict", verdict: "built" };
  const causes = (analysis.brokenBy.get(drvPath) ?? [])
    .map((path) => analysis.causes.get(path))
    .filter((cause) => cause !== undefined);
  const ofKind = (kind: FailureCause["kind"]): FailureCause[] =>
    causes.filter((cause) => cause.kind === kind);

  const failed = ofKind("failed");
  if (failed.length > 0) return { type: "verdict", verdict: "build-failed", reason: sayCauses(failed) };
  const timedOut = ofKind("timed-out");
  if (timedOut.length > 0) return { type: "verdict", verdict: "timed-out", reason: sayCauses(timedOut) };
  const noBuilder = ofKind("no-builder");
  if (noBuilder.length > 0) {
    const foreignSystem = noBuilder.find(({ system }) => system !== undefined)?.system;
    const known = foreignSystem === undefined ? {} : { foreignSystem };
    return { type: "verdict", verdict: "skipped", reason: sayCauses(noBuilder), ...known };
  }
  const infra = causes.filter(({ kind }) => kind === "infra" || kind === "unclear");
  if (infra.length > 0) return { type: "retry", reason: sayCauses(infra) };
  const interrupted = ofKind("interrupted");
  if (interrupted.length > 0) return { type: "again", reason: sayCauses(interrupted) };
  return { type: "retry", reason: "Nix ended without building it and without saying why" };
}

/**
 * While Nix still runs: whether the decision about a host that is not built can only stay as it is. Everything that keeps
 * it from being built has ended, on its own: nothing is left that may still build, or begin to, and no fault of the
 * infrastructure of which the process's end may tell more.
 */
export function hasFailedForGood(
  drvPath: StorePath,
  analysis: FailureAnalysis,
  { started }: Pick<RealiseResult, "started">,
): boolean {
  const brokenBy = analysis.brokenBy.get(drvPath) ?? [];
  return (
    brokenBy.length > 0 &&
    brokenBy.every((path) => {
      const kind = analysis.causes.get(path)?.kind;
      const build = started.get(path);
      const stillBuilds = build !== undefined && build.end === undefined;
      return kind !== undefined && isOwnCause[kind] && !stillBuilds;
    })
  );
}

const isOwnCause: Readonly<Record<FailureCause["kind"], boolean>> = {
  failed: true,
  "timed-out": true,
  "no-builder": true,
  infra: false,
  unclear: false,
  interrupted: false,
};

function sayCauses(causes: readonly FailureCause[]): string {
  const [first] = causes;
  if (first === undefined) return "";
  const more = causes.length - 1;
  const said = `${first.name}: ${first.reason}`;
  return more === 0 ? said : `${said} (and ${more} more ${more === 1 ? "derivation" : "derivations"})`;
}

/** What happens to a host whose evaluation, alone in its process, failed. */
export function decideEvaluationFailure(failure: EvaluationFailure): Decision {
  const { message, details, warnings } = failure;
  switch (failure.cause) {
    case "error":
    case "out-of-memory":
      return { type: "verdict", verdict: "eval-failed", reason: message, details, warnings };
    case "timed-out":
      return { type: "verdict", verdict: "timed-out", reason: message, details, warnings };
    case "infra":
      return { type: "retry", reason: message };
    case "denied":
      return { type: "verdict", verdict: "infra-failed", reason: message, details, code: "INPUT_DENIED" };
  }
}

/** Only what a second evaluation of the same commit would find again is worth remembering: see `EvaluationFailure`. */
export const isDeterministic = (failure: EvaluationFailure): boolean => failure.isOwn === true;
