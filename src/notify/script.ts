// A program of the operator that is run with the news, for whatever has neither a webhook nor ntfy.
import { HomelabError } from "../base/errors.ts";
import type { Exec } from "../process/exec.ts";

const timeoutMs = 60_000;
const maxStdoutBytes = 1024 * 1024;

export interface ScriptMessage {
  readonly text: string;
  readonly event: object;
}

/**
 * @param command the program and its arguments
 * @param environment `PATH` and `HOME` of it come from there
 * @returns what runs it, and throws HomelabError `unavailable` with code `SCRIPT_FAILED` when it does not exit with 0
 */
export function createScript(
  command: readonly [string, ...string[]],
  environment: Readonly<Record<string, string | undefined>>,
  exec: Exec,
): (message: ScriptMessage, signal: AbortSignal) => Promise<void> {
  const [program, ...args] = command;
  return async ({ text, event }, signal) => {
    const { exitCode, killedBy, timedOut, stderrTail } = await exec(program, args, {
      signal,
      timeoutMs,
      maxStdoutBytes,
      env: {
        PATH: environment["PATH"] ?? "/usr/bin:/bin",
        ...(environment["HOME"] === undefined ? {} : { HOME: environment["HOME"] }),
        HOMELAB_DEPLOY_TEXT: text,
        HOMELAB_DEPLOY_EVENT: JSON.stringify(event),
      },
    });
    if (exitCode === 0) return;
    const how = timedOut
      ? `did not end within ${timeoutMs / 1000} s`
      : `ended with ${killedBy ?? `exit code ${exitCode ?? "?"}`}`;
    const last = stderrTail.trim().split("\n").at(-1) ?? "";
    throw new HomelabError(
      "unavailable",
      `${program} ${how}${last === "" ? "" : `: ${last.slice(0, 300)}`}`,
      {
        code: "SCRIPT_FAILED",
        hint: "run it by hand as the builder's user, with HOMELAB_DEPLOY_TEXT and HOMELAB_DEPLOY_EVENT set",
      },
    );
  };
}
