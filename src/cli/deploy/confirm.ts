import { HomelabError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { nextText } from "../session/next-text.ts";

/**
 * Whether the person at the terminal says yes, with one key.
 *
 * @throws HomelabError `usage` where nobody can be asked
 */
export async function confirm(
  { input, err }: Pick<Context, "input" | "err">,
  question: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (input === undefined) {
    throw new HomelabError("usage", "several hosts need a confirmation, and this is not a terminal", {
      code: "BAD_ARGUMENTS",
      hint: "check with --plan, then add --yes",
    });
  }
  err.write(`${question} [y/N] `);
  input.setRawMode(true);
  try {
    const key = (await nextText(input, signal)).slice(0, 1);
    err.write(`${/^[yYnN]$/.test(key) ? key : ""}\n`);
    return key === "y" || key === "Y";
  } finally {
    input.setRawMode(false);
  }
}
