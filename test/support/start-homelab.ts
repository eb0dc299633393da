// A home lab for tests of the whole: a nats-server with exactly the generated configuration, builders as processes
// of their own, a throw-away Nix store, a sample fleet, and the command line as people run it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileCache } from "./compile-cache.ts";
import { createFleet, type Fleet } from "./fleet.ts";
import { startRolesServer, type RolesServer, type TestUser } from "./start-roles-server.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "./nix-store.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");

export interface BuilderProcess {
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** How it ended. */
  readonly ended: Promise<number | NodeJS.Signals>;
  log(): Promise<string>;
}

export interface CommandResult {
  readonly exitCode: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly user?: TestUser;
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with the process, to send it signals. */
  readonly onStarted?: (child: ChildProcess) => void;
}

/** A server, or several of a cluster, with streams and users. */
export interface HomelabServer extends AsyncDisposable {
  readonly urls: readonly string[];
  settingsOf(user: TestUser): object;
}

export interface Homelab<Server extends HomelabServer = RolesServer> extends AsyncDisposable {
  readonly server: Server;
  readonly store: ThrowAwayStore;
  readonly fleet: Fleet;
  readonly directory: string;
  /**
   * Waits until it is ready; one that runs already is left as it is. After an end it is the same builder again.
   *
   * @param ownStore of this builder; without it the one that all share
   */
  startBuilder(
    user?: "builder1" | "builder2",
    settings?: object,
    sections?: object,
    ownStore?: ThrowAwayStore,
  ): Promise<BuilderProcess>;
  run(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  stopAll(): Promise<void>;
}

export const startHomelab = async (storeSettings: Readonly<Record<string, string>> = {}): Promise<Homelab> =>
  startHomelabOn(async () => startRolesServer(), storeSettings);

export async function startHomelabOn<Server extends HomelabServer>(
  startServer: () => Promise<Server>,
  storeSettings: Readonly<Record<string, string>> = {},
): Promise<Homelab<Server>> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-"));
  const [server, store, fleet] = await Promise.all([
    startServer(),
    createThrowAwayStore({ "max-jobs": "4", ...storeSettings }),
    createFleet(),
  ]);
  const builders = new Map<string, BuilderProcess>();
  let commands = 0;
  const names = { builder1: "b1", builder2: "b2" } as const;

  async function writeConfig(name: string, user: TestUser, more: object): Promise<string> {
    const file = join(directory, `${name}.json`);
    await writeFile(
      file,
      JSON.stringify({ nats: { servers: server.urls, ...server.settingsOf(user) }, ...more }),
    );
    return file;
  }

  async function stopAll(): Promise<void> {
    const running = [...builders.values()];
    for (const builder of running) builder.signal("SIGKILL");
    await Promise.all(running.map(async (builder) => builder.ended));
  }

  const environment = {
    ...store.environment,
    ...compileCache,
    HOME: join(store.directory, "home"),
    XDG_STATE_HOME: join(directory, "xdg-state"),
  };

  return {
    server,
    store,
    fleet,
    directory,
    async startBuilder(user = "builder1", settings = {}, sections = {}, ownStore = store) {
      const known = builders.get(user);
      if (known !== undefined) return known;
      const config = await writeConfig(user, user, {
        repos: { fleet: { url: fleet.url, branch: "main", pollSeconds: 0 } },
        builder: {
          name: names[user],
          stateDirectory: join(directory, names[user]),
          retry: { attempts: 3, firstDelaySeconds: 1 },
          stopSeconds: 2,
          ...settings,
        },
        ...sections,
      });
      const logFile = join(directory, `${names[user]}.log`);
      const output = openSync(logFile, "a");
      const size = (await readFile(logFile)).length;
      const child = spawn(
        "setpriv",
        ["--pdeathsig", "KILL", "--", process.execPath, program, "builder", "--config", config],
        {
          stdio: ["ignore", output, output],
          env: { ...environment, ...ownStore.environment },
        },
      );
      const ended = once(child, "exit").then(
        ([code, signal]: (number | NodeJS.Signals)[]) => code ?? signal ?? 0,
      );
      const log = async (): Promise<string> => readFile(logFile, "utf8");
      const builder: BuilderProcess = { pid: child.pid ?? 0, signal: (name) => child.kill(name), ended, log };
      builders.set(user, builder);
      let isOver = false;
      void ended.then(() => {
        isOver = true;
        builders.delete(user);
        return undefined;
      });
      while (!(await log()).slice(size).includes("the builder is ready")) {
        if (isOver) throw new Error(`the builder ended before it was ready:\n${(await log()).slice(size)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return builder;
    },
    async run(args, { user = "operator", environment: more = {}, onStarted } = {}) {
      // A file of its own: another command that starts meanwhile would read this one half written.
      const repos = { fleet: { url: fleet.url, branch: "main" } };
      const config = await writeConfig(`${user}-${++commands}`, user, { repos });
      const child = spawn(process.execPath, [program, ...args], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...environment, HOMELAB_DEPLOY_CONFIG: config, ...more },
      });
      onStarted?.(child);
      let [stdout, stderr] = ["", ""];
      child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      const [code, signal]: (number | NodeJS.Signals)[] = await once(child, "close");
      return { exitCode: code ?? signal ?? 0, stdout, stderr };
    },
    stopAll,
    async [Symbol.asyncDispose]() {
      await stopAll();
      await server[Symbol.asyncDispose]();
      await fleet.remove();
      await store.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
