// The deployer as a process, which a test starts, kills and starts again.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileCache } from "../../compile-cache.ts";
import type { RolesServer } from "../../start-roles-server.ts";
import type { Webhook } from "../../webhook.ts";

const program = join(import.meta.dirname, "../../../../src/cli/main.ts");

export interface DeployerProcessOptions {
  readonly directory: string;
  readonly server: RolesServer;
  readonly webhook: Webhook;
  /** Of the key that signs. */
  readonly keyFile: string;
  readonly nodeFlags?: readonly string[];
}

export interface DeployerProcess extends AsyncDisposable {
  /** The repos' rules, from the next start on. */
  configure(rollouts: Readonly<Record<string, object>>): Promise<void>;
  /** Nothing where it runs. */
  start(): void;
  /** As a crash does. */
  kill(): Promise<void>;
  /** It ended by itself, which it never should. */
  hasEnded(): boolean;
  /** What all of them have logged. */
  log(): string;
}

export function createDeployerProcess({
  directory,
  server,
  webhook,
  keyFile,
  nodeFlags = [],
}: DeployerProcessOptions): DeployerProcess {
  const config = join(directory, "deployer.json");
  let running: ChildProcess | undefined;
  let log = "";

  const deployer: DeployerProcess = {
    async configure(rollouts) {
      const settings = {
        keyFile,
        stateDirectory: join(directory, "deployer"),
        notify: { webhookFile: webhook.file },
        rollouts,
      };
      const nats = { servers: [server.url], ...server.settingsOf("deployer") };
      await writeFile(config, JSON.stringify({ nats, deployer: settings }));
    },
    start() {
      if (running !== undefined) return;
      const argv = [process.execPath, ...nodeFlags, program, "deployer", "--config", config];
      // setpriv: a test run that is killed must not leave it behind.
      running = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...argv], {
        env: { PATH: process.env["PATH"], HOME: directory, ...compileCache },
        stdio: ["ignore", "pipe", "pipe"],
      });
      for (const stream of [running.stdout, running.stderr]) {
        stream?.setEncoding("utf8").on("data", (chunk: string) => (log += chunk));
      }
    },
    async kill() {
      const child = running;
      if (child === undefined) return;
      const isOver = child.exitCode !== null || child.signalCode !== null;
      const ended = isOver ? undefined : once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      running = undefined;
    },
    hasEnded: () => running !== undefined && (running.exitCode !== null || running.signalCode !== null),
    log: () => log,
    [Symbol.asyncDispose]: async () => deployer.kill(),
  };
  return deployer;
}
