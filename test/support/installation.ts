// An installation that `init --demo` wrote, run as its README.md says: each block of shell code in a shell.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { codeBlocks } from "./documents.ts";
import type { CommandResult } from "./start-homelab.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");

export interface Installation extends AsyncDisposable {
  readonly directory: string;
  /** The line of README.md that matches, and no other. */
  command(pattern: RegExp): string;
  /** Runs it to its end. */
  run(command: string): Promise<CommandResult>;
  /** Runs it until the end of the test or until it is stopped; resolves when it has said that it is ready. */
  start(command: string, ready: RegExp): Promise<Daemon>;
}

export interface Daemon {
  /** SIGTERM, and its end. */
  stop(): Promise<void>;
  /** SIGKILL, and its end. */
  kill(): Promise<void>;
}

/** `homelab-deploy init` in this environment. */
export async function runInit(
  environment: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<CommandResult> {
  return promisify(execFile)(process.execPath, [program, "init", ...args], { env: environment }).then(
    ({ stdout, stderr }) => ({ exitCode: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      exitCode: code,
      stdout,
      stderr,
    }),
  );
}

export async function openInstallation(
  directory: string,
  environment: Readonly<Record<string, string>>,
): Promise<Installation> {
  const readme = await readFile(join(directory, "README.md"), "utf8");
  const lines = codeBlocks(readme)
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.trim().split("\n"));
  const running = new Set<ChildProcess>();
  const inShell = (command: string): ChildProcess => {
    // Like a person's shell; setpriv: a test run that is killed leaves nothing behind.
    const exec = /^\w+=/.test(command) ? `exec env ${command}` : `exec ${command}`;
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", "sh", "-c", exec], {
      stdio: ["ignore", "pipe", "pipe"],
      env: environment,
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    return child;
  };
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    if (!running.has(child)) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  };
  return {
    directory,
    command(pattern) {
      const [found, ...more] = lines.filter((line) => pattern.test(line));
      if (found === undefined || more.length > 0)
        throw new Error(`${String(pattern)} in\n${lines.join("\n")}`);
      return found;
    },
    async run(command) {
      const child = inShell(command);
      let [stdout, stderr] = ["", ""];
      child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
      return { exitCode: code ?? signal ?? 0, stdout, stderr };
    },
    async start(command, ready) {
      const child = inShell(command);
      let said = "";
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const hear = (chunk: Buffer): void => {
        said = `${said}${chunk.toString()}`.slice(-20_000);
        if (ready.test(said)) resolve();
      };
      child.stdout?.on("data", hear);
      child.stderr?.on("data", hear);
      child.once("exit", (code) => reject(new Error(`${command} ended with ${code}:\n${said}`)));
      await promise;
      return { stop: async () => end(child, "SIGTERM"), kill: async () => end(child, "SIGKILL") };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map(async (child) => end(child, "SIGKILL")));
    },
  };
}
