// The program that is run with news of branches: whether it can be run. It is not run.
import { access, constants, stat } from "node:fs/promises";
import { hasCode, messageOf } from "../../base/errors.ts";
import { ok, wrong, type Finding } from "./finding.ts";

const check = "script for builds";

export async function checkScript([program]: readonly string[]): Promise<readonly Finding[]> {
  if (program === undefined) return [];
  try {
    const facts = await stat(program);
    if (!facts.isFile()) return [wrong(check, `${program} is not a file`, "correct notify.script")];
    await access(program, constants.X_OK);
    return [ok(check, `${program} can be run`)];
  } catch (error) {
    const advice = hasCode(error, "EACCES")
      ? `let the builder's user run it: chmod +x ${program}`
      : "put the program there, or correct notify.script";
    return [wrong(check, `${program}: ${messageOf(error)}`, advice)];
  }
}
