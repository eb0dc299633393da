// Apart from the verdicts, so that a command line starts without the library of schemas.
import type { BuildOutcome } from "./verdicts.ts";

/** Exit codes of every command. docs/reference/errors.md documents them and is checked against this table. */
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

/** Somebody has to act first: the remote of a repo, or of a flake's input, refuses us, or its certificate is not trusted. */
const deniedCodes: readonly (string | undefined)[] = ["GIT_DENIED", "INPUT_DENIED", "TLS_UNTRUSTED"];
export const isDenied = (code: string | undefined): boolean => deniedCodes.includes(code);

/** @param denied whether it got no further because a remote refuses us */
export function exitCodeOf(outcome: BuildOutcome, denied = false): number {
  switch (outcome) {
    case "succeeded":
      return exitCodes.success;
    case "failed":
      return exitCodes.failed;
    case "rejected":
      return denied ? exitCodes.refused : exitCodes.usage;
    case "infra-failed":
      return denied ? exitCodes.refused : exitCodes.unavailable;
    case "expired":
      return exitCodes.unavailable;
    case "cancelled":
      return exitCodes.interrupted;
    case "internal-error":
      return exitCodes.bug;
  }
}
