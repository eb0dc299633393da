// Apart from the verdicts, so that a command line starts without the library of schemas.
import type { BuildOutcome } from "./verdicts.ts";

/** Exit codes of every command. docs/errors.md documents them and is checked against this table. */
export const exitCodes = {
  success: 0,
  failed: 1,
  usage: 2,
  unavailable: 3,
  refused: 4,
  bug: 70,
  timeout: 124,
  interrupted: 130,
  terminated: 143,
} as const;

export function exitCodeOf(outcome: BuildOutcome): number {
  switch (outcome) {
    case "succeeded":
      return exitCodes.success;
    case "failed":
      return exitCodes.failed;
    case "rejected":
      return exitCodes.usage;
    case "infra-failed":
    case "expired":
      return exitCodes.unavailable;
    case "cancelled":
      return exitCodes.interrupted;
    case "internal-error":
      return exitCodes.bug;
  }
}
