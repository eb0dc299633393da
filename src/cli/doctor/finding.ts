import { HomelabError, messageOf } from "../../base/errors.ts";

/** One thing that was looked at. Only `wrong` makes doctor exit with 1. */
export interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "wrong";
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** What was thrown, as a finding; its causes become part of the message. */
export function findingOf(check: string, thrown: unknown): Finding {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? `: ${messageOf(thrown.cause)}` : "";
  const hint = thrown instanceof HomelabError ? thrown.hint : undefined;
  return {
    check,
    state: "wrong",
    message: `${messageOf(thrown)}${cause}`,
    ...(hint === undefined ? {} : { hint }),
  };
}
