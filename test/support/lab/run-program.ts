// Runs a program of the machine for the lab.
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Its stdout; throws when it did not exit with 0. */
  orThrow(): string;
}

export async function runProgram(
  file: string,
  args: readonly string[],
  { timeoutMs = 120_000 }: { readonly timeoutMs?: number } = {},
): Promise<Ended> {
  const child = spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [exitCode] = (await once(child, "close")) as [number | null];
  return {
    exitCode,
    stdout,
    stderr,
    orThrow() {
      if (exitCode === 0) return stdout;
      throw new Error(
        `${file} ${args.join(" ")}: exit ${exitCode}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`,
      );
    },
  };
}
