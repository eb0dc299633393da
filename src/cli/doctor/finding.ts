import { HomelabError, messageOf } from "../../base/errors.ts";

/**
 * One thing that was looked at. Only `wrong` makes doctor exit with 1. `unknown`: it could not be looked at, and
 * nobody should take that for good.
 */
export interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "wrong" | "unknown";
  readonly message: string;
  /** What to do about it; each finding that is not `ok` has one. */
  readonly hint?: string;
}

export const ok = (check: string, message: string): Finding => ({ check, state: "ok", message });
export const warning = (check: string, message: string, hint: string): Finding => ({
  check,
  state: "warning",
  message,
  hint,
});
export const wrong = (check: string, message: string, hint: string): Finding => ({
  check,
  state: "wrong",
  message,
  hint,
});
export const unknown = (check: string, message: string, hint: string): Finding => ({
  check,
  state: "unknown",
  message,
  hint,
});

/** What was thrown, as a finding; its causes become part of the message. */
export function findingOf(check: string, thrown: unknown): Finding {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? `: ${messageOf(thrown.cause)}` : "";
  const hint = thrown instanceof HomelabError ? thrown.hint : undefined;
  return {
    check,
    state: "wrong",
    message: `${messageOf(thrown)}${cause}`,
    hint,
  };
}
