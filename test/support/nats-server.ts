// A real nats-server for tests. `NATS_SERVER_BIN` chooses the binary; otherwise it is the one in PATH.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { freePort } from "./free-port.ts";
import { connectNats, type Connection, type ConnectionOptions } from "../../src/bus/connect/connection.ts";

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  /** `2.9.10` */
  readonly version: string;
  readonly storeDirectory: string;
  /** Ends it as a crash would (SIGKILL); what it acknowledged stays on disk. */
  kill(): Promise<void>;
  /** Another configuration file, from the next start or reload on. */
  configure(configuration: string): Promise<void>;
  /** Such as SIGSTOP, for a server that hangs, or SIGUSR2, with which it sends its clients away and ends ("lame duck"). */
  signal(name: NodeJS.Signals): void;
  /** Once it has ended. */
  whenEnded(): Promise<void>;
  /** Makes it read its configuration again (SIGHUP). */
  reload(): Promise<void>;
  /** Starts it again on the same port and store; it must not be running. */
  start(): Promise<void>;
  /** Kills it and removes its store. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServerPlace {
  readonly port: number;
  readonly storeDirectory: string;
}

/** The text of a configuration file for a server at that place. */
export type ServerConfig = (place: ServerPlace) => string;

const plainConfig: ServerConfig = ({ port, storeDirectory }) =>
  `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(storeDirectory)} }\n`;

const binary = (): string => process.env["NATS_SERVER_BIN"] ?? "nats-server";

/** Of the binary: `2.9.10`. */
export async function serverVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)(binary(), ["-v"]);
  return /v(?<version>[\d.]+)/.exec(stdout)?.groups?.["version"] ?? "";
}

/** A server on a free port of the loopback, with JetStream in a directory of its own. */
export async function startNatsServer(config: ServerConfig = plainConfig): Promise<NatsServer> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-nats-"));
  const storeDirectory = join(directory, "store");
  const configFile = join(directory, "nats-server.conf");
  const port = await freePort();
  await writeFile(configFile, config({ port, storeDirectory }));

  let running: Running | undefined = await run(configFile);
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    version: running.version,
    storeDirectory,
    async kill() {
      await running?.kill();
      running = undefined;
    },
    async configure(configuration) {
      await writeFile(configFile, configuration);
    },
    signal(name) {
      running?.signal(name);
    },
    async whenEnded() {
      await running?.ended;
      running = undefined;
    },
    async reload() {
      running?.signal("SIGHUP");
    },
    async start() {
      running ??= await run(configFile);
    },
    async [Symbol.asyncDispose]() {
      await running?.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

interface Running {
  readonly version: string;
  readonly ended: Promise<unknown>;
  signal(name: NodeJS.Signals): void;
  kill(): Promise<void>;
}

async function run(configFile: string): Promise<Running> {
  // setpriv: a test run that is killed must not leave servers behind.
  const server = spawn("setpriv", ["--pdeathsig", "KILL", "--", binary(), "-c", configFile], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(server, "exit").catch(() => undefined);
  const said: string[] = [];
  let version = "";
  for await (const line of linesOf(server)) {
    said.push(line);
    version = /Version:\s+(?<version>[\d.]+)/.exec(line)?.groups?.["version"] ?? version;
    if (!line.includes("Server is ready")) continue;
    server.stderr?.resume(); // or its log would fill the pipe and stop it
    return {
      version,
      ended: exited,
      signal: (name) => void server.kill(name),
      async kill() {
        server.kill("SIGKILL");
        await exited;
      },
    };
  }
  throw new Error(
    `${binary()} ended before it listened (apt-get install nats-server, or set NATS_SERVER_BIN):\n${said.slice(-10).join("\n")}`,
  );
}

function linesOf(server: ChildProcess): AsyncIterable<string> {
  if (server.stderr === null) throw new Error("stderr was not piped");
  return createInterface(server.stderr);
}

/** A connection with everything that a test does not care about filled in. */
export async function connectTo(
  server: Pick<NatsServer, "url">,
  options: Partial<ConnectionOptions> = {},
): Promise<Connection> {
  return connectNats(
    { servers: [server.url], name: "test", role: "command", ...options },
    silentLog,
    new AbortController().signal,
    systemClock,
  );
}
