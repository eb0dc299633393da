// A whole installation for one bench: nats-server, throw-away Nix store, a fleet's repo, a builder.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BuildReader } from "../../src/bus/bus.ts";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { parseRepoName, type Commit } from "../../src/protocol/names.ts";
import type { Target } from "../../src/protocol/subjects.ts";
import { createFleet, type CommitOptions, type FleetToggles } from "../support/fleet.ts";
import { connectTo, startNatsServer } from "../support/nats-server.ts";
import { readProcessTable } from "../../src/process/process-table.ts";
import { nodeFlags } from "../support/node-flags.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";
import type { BenchContext } from "./bench.ts";
import { costOf, readCpuTime, type Cost } from "./measure.ts";
import { createNixShim, type NixShim } from "./nix-shim.ts";

export interface LabOptions {
  readonly fleet: FleetToggles;
  readonly commit?: CommitOptions;
  /** The fleet's repository under so many other names, each looked at as often; 0 seconds: never. */
  readonly polled?: { readonly repos: number; readonly seconds: number };
  /** Of the configuration's `builder`; the defaults without it. */
  readonly builder?: Readonly<Record<string, unknown>>;
  /** Whether Nix processes are counted (default); each then has a shell around it, whose memory is not Nix's. */
  readonly countsNix?: boolean;
}

export interface Lab extends AsyncDisposable {
  /** Of the fleet as it was at the start. */
  readonly commit: Commit;
  /** Changes the fleet. */
  change(toggles: FleetToggles, commit?: CommitOptions): Promise<Commit>;
  /** The fleet's repository. */
  readonly bare: string;
  readonly store: ThrowAwayStore;
  readonly shim: NixShim;
  readonly builderPid: number;
  /** Of all that was started with `spawn` and `run`. */
  commandPids(): readonly number[];
  readonly connection: Connection;
  readonly reader: BuildReader;
  /** Starts `homelab-deploy` as a user would. */
  spawn(...args: string[]): ChildProcess;
  /** Runs it to its end. The cost holds what the builder does meanwhile. @throws Error unless it ends with 0 */
  run(...args: string[]): Promise<Cost>;
}

export const benchRepo = parseRepoName("bench");
export const everyHost: Target = { repo: benchRepo, host: "all" };

/** The Nix settings of every store: as many builds at a time as there are cores, as NixOS has it. */
export const nixSettings = { "max-jobs": "auto" } as const;

const startMs = 30_000;
const stopMs = 20_000;

export async function startLab({ program, directory }: BenchContext, options: LabOptions): Promise<Lab> {
  await using stack = new AsyncDisposableStack();
  const place = await mkdtemp(join(directory, "lab-"));
  const server = stack.use(await startNatsServer());
  const store = stack.use(await createThrowAwayStore(nixSettings));
  const fleet = stack.use(await createFleet());
  const commit = await fleet.commit(options.fleet, options.commit);
  const shim = await createNixShim(place);

  const configFile = join(place, "config.json");
  const config = {
    nats: { servers: [server.url] },
    repos: {
      [benchRepo]: { url: fleet.url, branch: "main", pollSeconds: 0 },
      ...polledRepos(fleet.url, options.polled),
    },
    builder: { name: "bench", stateDirectory: join(place, "builder"), ...options.builder },
  };
  await writeFile(configFile, JSON.stringify(config));
  await mkdir(join(place, "home"));
  const environment = {
    ...withoutOwnSettings(process.env),
    ...store.environment,
    PATH:
      options.countsNix === false
        ? (process.env["PATH"] ?? "")
        : `${shim.directory}:${process.env["PATH"] ?? ""}`,
    HOME: join(place, "home"),
    HOMELAB_DEPLOY_CONFIG: configFile,
  };
  const builder = await startBuilder(program, join(place, "builder.log"), environment);
  stack.defer(async () => stop(builder));
  const connection = stack.use(await connectTo(server));

  const commands: ChildProcess[] = [];
  const spawnProgram: Lab["spawn"] = (...args) => {
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const command = spawn(process.execPath, [...nodeFlags, program, ...args], {
      stdio: [...stdio],
      env: environment,
    });
    commands.push(command);
    return command;
  };
  const owned = stack.move();
  return {
    commit,
    change: async (toggles, changed) => fleet.commit(toggles, changed),
    bare: fleet.bare,
    store,
    shim,
    builderPid: pidOf(builder),
    commandPids: () => commands.flatMap(({ pid }) => pid ?? []),
    connection,
    reader: createReader(connection),
    spawn: spawnProgram,
    async run(...args) {
      const before = await readCpuTime(pidOf(builder));
      const cost = await costOf(async () => succeed(spawnProgram(...args), args));
      await untilAlone(pidOf(builder));
      const after = await readCpuTime(pidOf(builder));
      const builderSeconds = after.own - before.own + after.descendants - before.descendants;
      return { ...cost, cpuSeconds: cost.cpuSeconds + builderSeconds };
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

const polledRepos = (url: string, polled: LabOptions["polled"]): Readonly<Record<string, object>> =>
  Object.fromEntries(
    Array.from({ length: polled?.repos ?? 0 }, (_, index) => [
      `polled${index + 1}`,
      { url, branch: "main", pollSeconds: polled?.seconds ?? 0 },
    ]),
  );

/** What the user has set for Nix, NATS and XDG directories must not reach into a bench. */
const withoutOwnSettings = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(?:NIX|NATS|XDG|GIT|CI|GITHUB)(?:_|$)/.test(name)),
  );

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("the program could not be started");
  return pid;
}

async function startBuilder(
  program: string,
  logFile: string,
  environment: NodeJS.ProcessEnv,
): Promise<ChildProcess> {
  const output = openSync(logFile, "w");
  const builder = spawn(process.execPath, [...nodeFlags, program, "builder"], {
    stdio: ["ignore", output, output],
    env: environment,
  });
  const deadline = performance.now() + startMs;
  while (performance.now() < deadline && builder.exitCode === null) {
    if ((await readFile(logFile, "utf8")).includes("the builder is ready")) return builder;
    await sleep(50);
  }
  await stop(builder);
  throw new Error(`the builder did not get ready:\n${await readFile(logFile, "utf8")}`);
}

/** What a program did is counted when it has ended. */
async function untilAlone(pid: number): Promise<void> {
  const deadline = performance.now() + stopMs;
  while (performance.now() < deadline && readProcessTable().some(({ parent }) => parent === pid))
    await sleep(20);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await ended;
  clearTimeout(timer);
}

async function succeed(child: ChildProcess, args: readonly string[]): Promise<void> {
  const said: string[] = [];
  child.stdout?.resume();
  child.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const [code] = await once(child, "close");
  if (code !== 0)
    throw new Error(
      `homelab-deploy ${args.join(" ")} ended with ${String(code)}:\n${said.join("").slice(-2000)}`,
    );
}
