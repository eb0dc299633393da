import type { FailureMessage, ReportedEnd } from "./failure-message.ts";
import { machineName } from "../../protocol/machine-name.ts";
import { claimAbout, type MachineClaims, type MachineReports } from "./machine-claims.ts";
import type { FailureCause, RealiseOptions, RealiseResult, StartedDerivation } from "../realiser.ts";
import type { Requirements } from "../settings/machines.ts";

/** All that is known about a derivation whose output is not valid while all its inputs are, or which was started. */
export interface FailureFacts {
  /** Without hash and `.drv`. */
  readonly name: string;
  /** Undefined when Nix never began to build it. */
  readonly started: StartedDerivation | undefined;
  /** What Nix itself said about this derivation, and what it said about none. Never what a builder printed. */
  readonly said: readonly FailureMessage[];
  readonly saidInGeneral: readonly FailureMessage[];
  /** Nix reported an error about another derivation. */
  readonly saidOfOthers: boolean;
  readonly process: Pick<RealiseResult, "exitCode" | "killedBy" | "outOfMemoryKills">;
  readonly limits: Pick<RealiseOptions, "timeoutSeconds" | "silenceSeconds">;
  readonly requirements: Requirements;
  /** Nothing builds for its system. */
  readonly isForeign: boolean;
  /** The remote builders that nix.conf has for such a derivation, and whether this machine builds for its system. */
  readonly machines: readonly string[];
  readonly ownSystem: boolean;
  /** What remote builders said about it. */
  readonly claims: MachineClaims;
  readonly reports: Pick<MachineReports, "refusals" | "others">;
  /** Nothing can be written to the store any more. */
  readonly storeFull: boolean;
  /**
   * `alone`: nothing else was built in its process. `suspect`: an error that names no derivation can be about it.
   * `other`: it is not.
   */
  readonly role: "alone" | "suspect" | "other";
}

/**
 * Why one derivation has no valid output. It is the derivation's own fault only where there is evidence that its
 * build failed by itself; everything else is the infrastructure's, which is retried.
 */
export function decideFailure(facts: FailureFacts): FailureCause {
  const { name, started } = facts;
  const phase = started?.phase;
  const nowhere = decideNowhere(facts);
  if (nowhere !== undefined) return nowhere;

  const message = evidenceIn(facts);
  if (message === "contested") {
    return { kind: "unclear", name, reason: "what is said of its build contradicts itself", phase };
  }
  if (message === undefined) return withoutEvidence(facts);
  if (message.end.type === "timeout" || message.end.type === "silence") {
    return { kind: "timed-out", name, reason: limitReason(message.end.type, facts), phase };
  }
  const { exitCode } = message.end.type === "exit-code" ? message.end : {};
  const trouble = machineTrouble(facts, message);
  const { reason, lines } = message;
  return trouble === undefined
    ? { kind: "failed", name, reason, exitCode, phase, ...(lines === undefined ? {} : { lines }) }
    : { kind: "infra", name, reason: `${trouble} (${reason})`, exitCode, phase };
}

/** Nix found no place to build it. Where one is configured, that one did not answer. */
function decideNowhere(facts: FailureFacts): FailureCause | undefined {
  const { name, said, saidInGeneral, started, requirements, isForeign, machines, ownSystem, reports } = facts;
  const isNoBuilder = ({ end }: FailureMessage): boolean => end.type === "no-builder";
  const isRefused = said.length === 0 && machines.some((uri) => reports.refusals.has(uri));
  // With `max-jobs = 0`, Nix before 2.29 names no derivation.
  const isNowhere =
    started === undefined && !ownSystem && (isForeign || isRefused || saidInGeneral.some(isNoBuilder));
  if (!said.some(isNoBuilder) && !isNowhere) return undefined;
  if (machines.length === 0) {
    const { system, requiredFeatures = [] } = requirements;
    const features = requiredFeatures.length === 0 ? "" : ` with features {${requiredFeatures.join(", ")}}`;
    const reason = `no builder for '${system}'${features}`;
    return { kind: "no-builder", name, reason, ...(isForeign ? { system } : {}) };
  }
  const causes = machines.map(
    (uri) => `${machineName(uri)}: ${reports.refusals.get(uri) ?? "did not take it"}`,
  );
  const builders = machines.length === 1 ? "remote builder" : "remote builders";
  return { kind: "infra", name, reason: `no answer from the ${builders} ${causes.join("; ")}` };
}

/**
 * What says that it failed by itself. Of a build on a machine Nix here reports how its hook ended, which tells
 * nothing; there the machine's own Nix is what counts.
 */
function evidenceIn({
  started,
  said,
  saidInGeneral,
  claims,
  reports,
  role,
}: FailureFacts): FailureMessage | "contested" | undefined {
  const isEvidence = ({ end }: FailureMessage): boolean =>
    evidence[end.type] || (started !== undefined && end.type === "unknown");
  if (started?.machine !== undefined) {
    const here = said.findLast((message) => isEvidence(message) && !isHooksEnd(message));
    if (here !== undefined) return here;
    const claim = claimAbout(claims, reports.others, role === "alone");
    return claim === undefined || claim === "contested" || isEvidence(claim) ? claim : undefined;
  }
  const own = said.findLast(isEvidence);
  if (own !== undefined || role !== "alone") return own;
  return saidInGeneral.findLast(
    ({ end }) => end.type === "rejected" || (started !== undefined && end.type === "unknown"),
  );
}

const isHooksEnd = ({ end }: FailureMessage): boolean => end.type === "exit-code" || end.type === "signal";

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

/** An error that names no derivation, and that machine, network and store are not to blame for. */
export const isUnclear = ({ end }: FailureMessage): boolean =>
  end.type === "rejected" || end.type === "unknown";

function withoutEvidence(facts: FailureFacts): FailureCause {
  const { name, started, said, saidInGeneral, saidOfOthers, process, role, storeFull } = facts;
  const phase = started?.phase;
  const limit = started === undefined ? undefined : unnamedTimeout(facts, started);
  if (limit !== undefined) return { kind: "timed-out", name, reason: limitReason(limit, facts), phase };
  const infra = { kind: "infra", name, reason: withoutResult(facts), phase } as const;
  const endedByItself = process.killedBy === undefined && !storeFull;
  if (said.length > 0 || !endedByItself || role === "alone") return infra;
  if (role === "suspect") return { ...infra, kind: "unclear" };
  // An error that ends Nix at once gives 1; failed builds alone, all others done, give 100 and more, or 1.
  if (process.exitCode !== 1) return infra;
  const isOnlyOthers = saidOfOthers && !saidInGeneral.some(({ end }) => end.type === "environment");
  return isOnlyOthers ? { ...infra, kind: "interrupted" } : infra;
}

/** What was wrong with the machine, when that explains why a builder ended as it did. */
function machineTrouble(
  { said, saidInGeneral, storeFull, process }: FailureFacts,
  { end, machine, diskFull }: FailureMessage,
): string | undefined {
  // A shell reports a child that SIGKILL ended as 128 + 9. Nothing else is taken for a lack of memory: the kernel's
  // count is for the whole machine, and a compiler's error stays one while something else is killed.
  const killed =
    (end.type === "signal" && end.signal === 9) || (end.type === "exit-code" && end.exitCode === 128 + 9);
  if (machine !== undefined) {
    if (diskFull) return `the disk of ${machineName(machine)} is full`;
    // Nobody counts for us what the kernel there kills.
    return killed ? `killed on ${machineName(machine)}, as for lack of memory` : undefined;
  }
  if (storeFull || [...said, ...saidInGeneral].some((message) => message.diskFull)) return "the disk is full";
  return killed && process.outOfMemoryKills > 0 ? "killed for lack of memory" : undefined;
}

/**
 * Since 2.29 Nix says "timed out after 3 seconds" without saying about what, for both limits. Its exit code has a bit
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

/** We see a build's start a little after Nix does, so our measurement is a little short. Zero means no limit. */
const reached = (milliseconds: number, limitSeconds: number): boolean =>
  limitSeconds > 0 && milliseconds >= limitSeconds * 1000 - Math.min(1000, limitSeconds * 100);

const limitReason = (limit: "timeout" | "silence", { limits }: FailureFacts): string =>
  limit === "timeout"
    ? `timed out after ${limits.timeoutSeconds} seconds`
    : `timed out after ${limits.silenceSeconds} seconds without output`;

function withoutResult(facts: FailureFacts): string {
  const { started, said, claims, reports, process } = facts;
  if (started?.machine !== undefined && process.exitCode !== 0) {
    const cause = claims.excused?.reason ?? reports.others.at(-1) ?? howNixEnded(facts);
    return `its build on ${machineName(started.machine)} was lost: ${cause}`;
  }
  const own = said.at(-1)?.reason;
  if (own !== undefined) return own;
  if (started === undefined) return `it was neither built nor fetched: ${howNixEnded(facts)}`;
  return process.exitCode === 0
    ? "it was built, but its output is not valid any more"
    : `its build gave no result: ${howNixEnded(facts)}`;
}

function howNixEnded({ process: { exitCode, killedBy }, saidInGeneral, storeFull }: FailureFacts): string {
  if (storeFull) return "the disk is full";
  if (killedBy !== undefined) return `Nix was ended by ${killedBy}`;
  const reasons = saidInGeneral.map(({ reason }) => reason);
  const last = reasons.findLast((reason) => !isVague(reason)) ?? reasons.at(-1);
  if (last !== undefined) return last;
  return exitCode === undefined ? "Nix ended without an exit code" : `Nix ended with exit code ${exitCode}`;
}

/** Whoever Nix talked to is gone, such as its build hook, and may have said why before. */
const isVague = (reason: string): boolean => /^unexpected (?:EOF|end-of-file)\b/.test(reason);
