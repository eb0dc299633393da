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
  /** The code of the error behind it. */
  readonly code?: string;
  /** What else has it, or could not be looked at because of it. */
  readonly concerns?: readonly string[];
  /** Findings with the same cause are one: mergeFindings. */
  readonly cause?: string;
}

type Problem = Pick<Finding, "concerns" | "cause">;

export const ok = (check: string, message: string): Finding => ({ check, state: "ok", message });
export const warning = (check: string, message: string, hint: string): Finding => ({
  check,
  state: "warning",
  message,
  hint,
});
export const wrong = (check: string, message: string, hint: string, more: Problem = {}): Finding => ({
  check,
  state: "wrong",
  message,
  hint,
  ...more,
});
export const unknown = (check: string, message: string, hint: string, more: Problem = {}): Finding => ({
  check,
  state: "unknown",
  message,
  hint,
  ...more,
});

export const isWrong = ({ state }: Finding): boolean => state === "wrong";

/** What was thrown, as a finding; its causes become part of the message. */
export function findingOf(check: string, thrown: unknown): Finding {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? `: ${messageOf(thrown.cause)}` : "";
  const { hint, code } = thrown instanceof HomelabError ? thrown : {};
  return {
    check,
    state: "wrong",
    message: `${messageOf(thrown)}${cause}`,
    hint: hint ?? "run it again with --debug to see where the error occurs",
    ...(code === undefined ? {} : { code }),
  };
}

/** One cause is one finding: the first one stays, and says what else has it. */
export function mergeFindings(findings: readonly Finding[]): readonly Finding[] {
  const first = new Map<string, Finding>();
  const merged: Finding[] = [];
  for (const finding of findings) {
    const { cause } = finding;
    const known = cause === undefined ? undefined : first.get(cause);
    if (known === undefined || cause === undefined) {
      if (cause !== undefined) first.set(cause, finding);
      merged.push(finding);
      continue;
    }
    const others = [...(known.concerns ?? []), finding.check, ...(finding.concerns ?? [])];
    const concerns = [...new Set(others)].filter((check) => check !== known.check);
    const more = { ...known, ...(concerns.length === 0 ? {} : { concerns }) };
    first.set(cause, more);
    merged[merged.indexOf(known)] = more;
  }
  return merged;
}
