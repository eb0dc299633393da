// How programs of the machine are run here: bounded, in the C locale, and with errors that say what refused.
import { HomelabError } from "../base/errors.ts";
import { plainText } from "../base/terminal-text.ts";
import type { Environment } from "../nix/nix-environment.ts";
import { oneLine } from "../nix/words/error-text.ts";
import type { Exec, ExecResult } from "../process/exec.ts";

const defaultTimeoutMs = 60_000;
const maxStdoutBytes = 16 * 1024 * 1024;

export interface RunOptions {
  readonly timeoutMs?: number;
}

export interface HostPrograms {
  /** Whatever it exits with. @throws HomelabError when it does not end in time */
  ask(file: string, args: readonly string[], signal: AbortSignal, options?: RunOptions): Promise<ExecResult>;
  /** @throws HomelabError `unavailable` with code `HOST_COMMAND_FAILED` for every exit code but 0 */
  run(file: string, args: readonly string[], signal: AbortSignal, options?: RunOptions): Promise<ExecResult>;
}

export function createHostPrograms(exec: Exec, environment: Environment): HostPrograms {
  // Colours and pagers depend on who looks; the C locale is what the parsers know.
  const env = { ...environment, LC_ALL: "C.UTF-8", SYSTEMD_COLORS: "0", SYSTEMD_PAGER: "" };

  async function ask(
    file: string,
    args: readonly string[],
    signal: AbortSignal,
    { timeoutMs = defaultTimeoutMs }: RunOptions = {},
  ): Promise<ExecResult> {
    const result = await exec(file, args, { env, cwd: "/", signal, timeoutMs, maxStdoutBytes });
    if (result.timedOut) throw commandFailed(file, args, `it did not end in ${timeoutMs / 1000} s`);
    return result;
  }

  return {
    ask,
    async run(file, args, signal, options) {
      const result = await ask(file, args, signal, options);
      if (result.exitCode !== 0) throw commandFailed(file, args, lastLineOf(result));
      return result;
    },
  };
}

export function commandFailed(file: string, args: readonly string[], reason: string): HomelabError {
  return new HomelabError("unavailable", `${oneLine([file, ...args].join(" "))} failed: ${oneLine(reason)}`, {
    code: "HOST_COMMAND_FAILED",
    hint: "run the command on the host as root; see `systemctl status` and the journal",
  });
}

/** What a program said last, as one line for people. */
export function lastLineOf({ stderrTail, exitCode, killedBy }: ExecResult): string {
  const line = plainText(stderrTail)
    .split("\n")
    .findLast((each) => each.trim() !== "");
  return oneLine(line ?? (killedBy === undefined ? `exit code ${exitCode}` : `killed by ${killedBy}`));
}
