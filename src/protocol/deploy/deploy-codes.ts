// Why an order was not carried out, or undone, and what a command that waited for it exits with. Each code has its section
// in docs/reference/errors.md.
import { exitCodes } from "../exit-codes.ts";

const { failed, usage, unavailable, refused } = exitCodes;

export const deployCodes = {
  BAD_ORDER: usage,
  BAD_SIGNATURE: refused,
  UNTRUSTED_SIGNER: refused,
  SIGNER_MAY_NOT: refused,
  BAD_STATEMENT: refused,
  UNTRUSTED_BUILDER: refused,
  BRANCH_NOT_ALLOWED: refused,
  WRONG_HOST: refused,
  WRONG_SYSTEM: refused,
  EXPIRED: unavailable,
  FUTURE: unavailable,
  CLOCK_WRONG: unavailable,
  REPLAYED: refused,
  SUPERSEDED: unavailable,
  BUSY: unavailable,
  CHANGED_MEANWHILE: refused,
  DOWNGRADE: refused,
  HELD: refused,
  REMOVES_LISTENER: refused,
  NOT_CACHED: unavailable,
  NO_SPACE: failed,
  NO_BOOT_SPACE: failed,
  UNSIGNED: refused,
  ACTIVATION_FAILED: failed,
  UNHEALTHY: failed,
  UNCONFIRMED: unavailable,
  BOOT_NOT_INSTALLED: failed,
  INTERRUPTED: unavailable,
  REVERTED_BY_BOOT: failed,
  ROLLBACK_FAILED: failed,
} as const;

export type DeployCode = keyof typeof deployCodes;
export const deployCodeNames = Object.keys(deployCodes).filter(
  (name): name is DeployCode => name in deployCodes,
);

/**
 * How a deployment ended; it has exactly one of these.
 * - `unchanged`: the host ran it already, permanently
 * - `fetched`: it was only to be fetched, and the host has it now
 * - `failed`: nothing was changed
 * - `rolled-back`: the host runs what it ran before
 * - `rollback-failed`: it is unknown what runs; nothing more is touched
 */
export const deployOutcomes = [
  "completed",
  "unchanged",
  "fetched",
  "rejected",
  "expired",
  "superseded",
  "failed",
  "rolled-back",
  "rollback-failed",
] as const;
export type DeployOutcome = (typeof deployOutcomes)[number];

/** A host that does not run what was ordered is never success. */
export function deployExitCode(outcome: DeployOutcome, code: DeployCode | undefined): number {
  // Whoever ordered only a fetch has got it.
  if (["completed", "unchanged", "fetched"].includes(outcome)) return exitCodes.success;
  if (outcome === "rollback-failed") return failed;
  if (code !== undefined) return deployCodes[code];
  return outcome === "expired" || outcome === "superseded" ? unavailable : failed;
}

/** The most serious of several hosts' exit codes: 1 before 4 before 3 before 2 before 0. */
export function worstExitCode(codes: readonly number[]): number {
  const order = [failed, refused, unavailable, usage, exitCodes.success];
  return order.find((code) => codes.includes(code)) ?? codes[0] ?? exitCodes.bug;
}
