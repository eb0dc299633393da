// A fleet on a real NATS server with the printed permissions: hosts judge each order as hosts do and then do what the test wants,
// builds are what a builder's log says, and the deployer and the commands are processes of their own.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import type { HostAddress } from "../../src/bus/deploy-bus.ts";
import { createRolloutBus } from "../../src/bus/rollout/create-rollout-bus.ts";
import type { RolloutBus } from "../../src/bus/rollout-bus.ts";
import type { HostState } from "../../src/protocol/deploy/host-state.ts";
import { BranchName, Commit, parseHostName, parseRepoName, type HostName } from "../../src/protocol/names.ts";
import { signStatement } from "../../src/signing/sign-envelope.ts";
import { createSigningKey } from "../../src/signing/signing-key-file.ts";
import { compileCache } from "./compile-cache.ts";
import { goodDeployment } from "./deploy-events.ts";
import { somePath, somePolicy, someSigner, someStatement } from "./deploy-orders.ts";
import { someHostState } from "./fake-deploy-bus.ts";
import { playHost, type PlayedHost } from "./played-host.ts";
import { startRolesServer, type RolesServer } from "./start-roles-server.ts";
import { tellBuild } from "./told-build.ts";
import { startWebhook, type Webhook } from "./webhook.ts";

export const repo = parseRepoName("servers");
const branch = v.parse(BranchName, "master");
export const commitOf = (letter: string): Commit => v.parse(Commit, letter.repeat(40));
export const pathOf = (host: string, letter: string) => somePath(`${host.replaceAll(".", "-")}-${letter}`);

export interface CommandResult {
  readonly exitCode: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PlayedFleet extends AsyncDisposable {
  readonly server: RolesServer;
  /** For commands that are not run by `run`. */
  readonly operatorConfigFile: string;
  readonly hosts: ReadonlyMap<string, PlayedHost>;
  readonly webhook: Webhook;
  readonly operator: RolloutBus;
  host(name: string): PlayedHost;
  /** All hosts, at the tip of the branch. */
  build(letter: string, verdict?: "built" | "build-failed", commit?: Commit): Promise<void>;
  /** One process at a time. */
  startDeployer(): Promise<ChildProcess>;
  killDeployer(): Promise<void>;
  /** What all of them have logged. */
  deployerLog(): string;
  run(...args: readonly string[]): Promise<CommandResult>;
}

export interface PlayedFleetOptions {
  /** By name: what they say of themselves beside that. */
  readonly hosts: Readonly<Record<string, Partial<HostState>>>;
  /** Of `deployer.rollouts.servers`. */
  readonly rules?: object;
  /** Of the deployer's configuration, beside that. */
  readonly repos?: object;
  /** The compiled program; the sources otherwise. */
  readonly program?: string;
  /** Options of Node for the deployer. */
  readonly nodeFlags?: readonly string[];
}

const sources = join(import.meta.dirname, "../../src/cli/main.ts");
const connectsAtOnce = 10;

export async function startPlayedFleet(options: PlayedFleetOptions): Promise<PlayedFleet> {
  const { rules = {}, repos = {}, program = sources, nodeFlags = [] } = options;
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "played-fleet-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const addresses = Object.keys(options.hosts).map((host): HostAddress => ({
    repo,
    host: parseHostName(host),
  }));
  const server = stack.use(await startRolesServer("127.0.0.1", addresses));
  const webhook = stack.use(await startWebhook(directory));
  const keyFile = join(directory, "deployer.seed");
  const trustedKeys = [
    { name: "deployer", key: await createSigningKey(keyFile), may: ["deploy", "rollback", "reboot"] },
  ];

  const hosts = new Map<string, PlayedHost>();
  async function play(address: HostAddress): Promise<void> {
    const host = stack.use(
      await playHost(await server.connectHost(address), {
        policy: somePolicy({ ...address, trustedKeys }),
        state: someHostState({ ...address, serial: 0, ...options.hosts[address.host] }),
      }),
    );
    host.play = goodDeployment;
    hosts.set(address.host, host);
  }
  for (let at = 0; at < addresses.length; at += connectsAtOnce) {
    await Promise.all(addresses.slice(at, at + connectsAtOnce).map(play));
  }

  const builder = createBuilderBus(stack.use(await server.connect("builder1")));
  async function build(
    letter: string,
    verdict: "built" | "build-failed" = "built",
    commit = commitOf(letter),
  ): Promise<void> {
    const at = new Date().toISOString();
    const stated = (host: HostName) =>
      signStatement(
        someStatement({ repo, host, branch, commit, path: pathOf(host, letter), at }),
        someSigner("builder"),
      );
    const finished = (host: HostName) => {
      const of = { repo, host, verdict, durationMs: 1 };
      return verdict === "built"
        ? { ...of, cached: true, statement: stated(host) }
        : { ...of, reason: "it fails" };
    };
    await tellBuild(
      builder,
      {
        branch,
        commit,
        at,
        hosts: addresses.map(({ host }) => finished(host)),
        verdict: verdict === "built" ? "succeeded" : "failed",
      },
      AbortSignal.timeout(60_000),
    );
  }

  const config = async (name: string, user: "deployer" | "operator", more: object = {}): Promise<string> => {
    const file = join(directory, name);
    const nats = { servers: [server.url], ...server.settingsOf(user) };
    await writeFile(file, JSON.stringify({ nats, ...more }));
    return file;
  };
  const deployerConfig = await config("deployer.json", "deployer", {
    repos,
    deployer: {
      keyFile,
      stateDirectory: join(directory, "state"),
      notify: { webhookFile: webhook.file },
      rollouts: { [repo]: { branch, ...rules } },
    },
  });
  const operatorConfig = await config("config.json", "operator");
  const environment = { PATH: process.env["PATH"], HOME: directory, ...compileCache };
  let deployer: ChildProcess | undefined;
  let log = "";
  async function killDeployer(): Promise<void> {
    if (deployer === undefined) return;
    const ended =
      deployer.exitCode === null && deployer.signalCode === null ? once(deployer, "exit") : undefined;
    deployer.kill("SIGKILL");
    await ended;
    deployer = undefined;
  }
  stack.defer(killDeployer);
  const operator = createRolloutBus(stack.use(await server.connect("operator", { role: "daemon" })));
  const owned = stack.move();
  return {
    operatorConfigFile: operatorConfig,
    server,
    hosts,
    webhook,
    operator,
    host(name) {
      const host = hosts.get(name);
      if (host === undefined) throw new Error(`there is no host ${name}`);
      return host;
    },
    build,
    async startDeployer() {
      await killDeployer();
      const argv = [process.execPath, ...nodeFlags, program, "deployer", "--config", deployerConfig];
      const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...argv], {
        env: environment,
        stdio: ["ignore", "pipe", "pipe"],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (chunk: string) => (log += chunk));
      }
      deployer = child;
      return child;
    },
    killDeployer,
    deployerLog: () => log,
    run: async (...args) =>
      new Promise((resolve) => {
        const env = { ...environment, HOMELAB_DEPLOY_CONFIG: operatorConfig };
        execFile(
          process.execPath,
          [program, ...args],
          { env, maxBuffer: 64 * 1024 * 1024 },
          (error, stdout, stderr) =>
            resolve({
              exitCode: error?.code ?? 0,
              stdout,
              stderr: `${stderr}${error === null ? "" : log.slice(-2000)}`,
            }),
        );
      }),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}
