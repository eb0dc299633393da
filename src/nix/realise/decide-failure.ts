import type { FailureMessage, ReportedEnd } from "./failure-message.ts";
import type { FailureCause, RealiseOptions, RealiseResult, StartedDerivation } from "../realiser.ts";

/** All that is known of a derivation whose output is not valid while all its inputs are, or which was started. */
export interface FailureFacts {
  /** Without hash and `.drv`. */
  readonly name: string;
  /** Undefined when Nix never began to build it. */
  readonly started: StartedDerivation | undefined;
  /** What Nix itself said about this derivation, and what it said about none. Never what a builder printed. */
  readonly said: readonly FailureMessage[];
  readonly saidInGeneral: readonly FailureMessage[];
  readonly process: Pick<RealiseResult, "exitCode" | "killedBy" | "outOfMemoryKills">;
  readonly limits: Pick<RealiseOptions, "timeoutSeconds" | "silenceSeconds">;
  /** The system that it is built on, when that is none of those that this Nix can build for. */
  readonly unsupportedSystem: string | undefined;
  /** Nothing can be written to the store any more. */
  readonly storeFull: boolean;
}

/**
 * Why one derivation has no valid output. It is the derivation's own fault only where there is evidence that its
 * build failed by itself; everything else is the infrastructure's, which is tried again.
 */
export function decideFailure(facts: FailureFacts): FailureCause {
  const { name, started, said, unsupportedSystem } = facts;
  const phase = started?.phase;
  const noBuilder = said.find(({ end }) => end.type === "no-builder");
  if (noBuilder !== undefined) return { kind: "no-builder", name, reason: noBuilder.reason };
  if (started === undefined && unsupportedSystem !== undefined) {
    return { kind: "no-builder", name, reason: `no builder for '${unsupportedSystem}'` };
  }

  const message = said.findLast(
    ({ end }) => evidence[end.type] || (started !== undefined && end.type === "unknown"),
  );
  if (message === undefined) {
    const limit = started === undefined ? undefined : unnamedTimeout(facts, started);
    return limit === undefined
      ? { kind: "infra", name, reason: withoutResult(facts), phase }
      : { kind: "timed-out", name, reason: limitReason(limit, facts), phase };
  }
  if (message.end.type === "timeout" || message.end.type === "silence") {
    return { kind: "timed-out", name, reason: limitReason(message.end.type, facts), phase };
  }
  const { exitCode } = message.end.type === "exit-code" ? message.end : {};
  const trouble = machineTrouble(facts, message.end);
  return trouble === undefined
    ? { kind: "failed", name, reason: message.reason, exitCode, phase }
    : { kind: "infra", name, reason: `${trouble} (${message.reason})`, exitCode, phase };
}

/** Which ends only a builder that ran can have, and Nix that watched it. */
const evidence: Readonly<Record<ReportedEnd["type"], boolean>> = {
  "exit-code": true,
  signal: true,
  timeout: true,
  silence: true,
  rejected: true,
  "no-builder": false,
  environment: false,
  substitution: false,
  unknown: false,
};

/** What was wrong with the machine, when that explains why a builder ended as it did. */
function machineTrouble(
  { said, saidInGeneral, storeFull, process }: FailureFacts,
  end: ReportedEnd,
): string | undefined {
  if (storeFull || [...said, ...saidInGeneral].some(({ diskFull }) => diskFull)) return "the disk is full";
  // A shell reports a child that SIGKILL ended as 128 + 9. Nothing else is taken for a lack of memory: the kernel's
  // count is for the whole machine, and a compiler's error stays one while something else is killed.
  const killed =
    (end.type === "signal" && end.signal === 9) || (end.type === "exit-code" && end.exitCode === 128 + 9);
  return killed && process.outOfMemoryKills > 0 ? "killed for lack of memory" : undefined;
}

/**
 * Since 2.29 Nix says "timed out after 3 seconds" without saying of what, for both limits. Its exit code has a bit
 * for timeouts as well (100 for a failure, 101 with a timeout), but not through the daemon, which gives 1.
 */
function unnamedTimeout(
  { saidInGeneral, process: { exitCode }, limits }: FailureFacts,
  { durationMs, silentMs }: StartedDerivation,
): "timeout" | "silence" | undefined {
  const saidSo = saidInGeneral.some(({ end }) => end.type === "timeout" || end.type === "silence");
  const exitSaysSo = exitCode !== undefined && exitCode < 128 && (exitCode & timeoutMask) === timeoutMask;
  if (!saidSo && !exitSaysSo) return undefined;
  if (reached(durationMs, limits.timeoutSeconds)) return "timeout";
  return reached(silentMs, limits.silenceSeconds) ? "silence" : undefined;
}

const timeoutMask = 0b110_0101;

/** We see a build's start a little after Nix, so that what we measure is a little short. Zero is no limit. */
const reached = (milliseconds: number, limitSeconds: number): boolean =>
  limitSeconds > 0 && milliseconds >= limitSeconds * 1000 - Math.min(1000, limitSeconds * 100);

const limitReason = (limit: "timeout" | "silence", { limits }: FailureFacts): string =>
  limit === "timeout"
    ? `timed out after ${limits.timeoutSeconds} seconds`
    : `timed out after ${limits.silenceSeconds} seconds without output`;

function withoutResult(facts: FailureFacts): string {
  const own = facts.said.at(-1)?.reason;
  if (own !== undefined) return own;
  if (facts.started === undefined) return `it was neither built nor fetched: ${howNixEnded(facts)}`;
  return facts.process.exitCode === 0
    ? "it was built, but its output is not valid any more"
    : `its build gave no result: ${howNixEnded(facts)}`;
}

function howNixEnded({ process: { exitCode, killedBy }, saidInGeneral, storeFull }: FailureFacts): string {
  if (storeFull) return "the disk is full";
  if (killedBy !== undefined) return `Nix was ended by ${killedBy}`;
  const last = saidInGeneral.at(-1)?.reason;
  if (last !== undefined) return last;
  return exitCode === undefined ? "Nix ended without an exit code" : `Nix ended with exit code ${exitCode}`;
}
