// An evening with the documents: a place in which their command lines run as they are written, but for addresses,
// names of files, keys and ids, which are those of the place.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createFleet, type Fleet } from "./fleet.ts";
import { freePort } from "./free-port.ts";
import { serverVersion } from "./nats-server.ts";
import { createThrowAwayStore } from "./nix-store.ts";
import { serveStore, type StoreCache } from "./store-cache.ts";

const run = promisify(execFile);
const program = join(import.meta.dirname, "../../src/cli/main.ts");

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Evening extends AsyncDisposable {
  readonly directory: string;
  readonly fleet: Fleet;
  readonly cache: StoreCache;
  readonly serverUrl: string;
  /** Public keys by the name of their file: `admin.nk`. */
  readonly keys: Map<string, string>;
  /** Writes a file for which the documents have a name. */
  write(name: string, content: string | object): Promise<void>;
  /** A command line of the documents, as an operator, or as the builder. */
  run(words: readonly string[], as?: "operator" | "builder"): Promise<Ran>;
  startServer(configuration: string): Promise<void>;
  startBuilder(): Promise<void>;
  /** A path that is built, for what the documents say of a running system. */
  setSystem(path: string): Promise<void>;
}

export async function startEvening(): Promise<Evening> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-evening-"));
  const [store, fleet, port] = await Promise.all([createThrowAwayStore(), createFleet(), freePort()]);
  const cache = await serveStore(store);
  const at = (name: string): string => join(directory, name);
  const keys = new Map<string, string>();
  const children: ChildProcess[] = [];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await run("openssl", [
    "req",
    "-x509",
    ...curve,
    ...names,
    "-keyout",
    at("key.pem"),
    "-out",
    at("cert.pem"),
  ]);
  const version = await serverVersion();

  /** What the documents call it, and what it is here. */
  const here: readonly (readonly [RegExp, string])[] = [
    [/^tls:\/\/nats\.lan:4222$/, `tls://localhost:${port}`],
    [/^0\.0\.0\.0:4222$/, `127.0.0.1:${port}`],
    [/^\/etc\/nats\/(?<file>cert|key)\.pem$/, at("$<file>.pem")],
    [/^\/var\/lib\/nats\/jetstream$/, at("jetstream")],
    [/^2\.10\.\d+$/, version],
    [/^(?<file>[a-z0-9-]+\.(?:nk|json))$/, at("$<file>")],
    [/^\/etc\/homelab-deploy\/config\.json$/, at("builder.json")],
    [/^\/etc\/homelab-deploy\/(?<file>[a-z0-9-]+\.(?:nk|json))$/, at("$<file>")],
    [/^\/run\/current-system$/, at("current-system")],
    [/^http:\/\/(?:NEW|cache01\.lan|nix-cache01\.lan):5000$/, cache.url],
    [/^[a-z0-9.-]+-\d:(?:…|AbC…)$/, cache.publicKey],
    [/^ID$/, "last"],
  ];
  const translated = (word: string): string => {
    const [, name = "", key = ""] = /^(?:(\w+)=)?U([A-Z]+)…$/.exec(word) ?? [];
    const file = {
      ADMIN: "admin.nk",
      CACHE: "cache01.nk",
      NEW: "cache01-2.nk",
      KAI: "kai.nk",
      CI: "ci.nk",
      TIMER: "timer.nk",
    }[key];
    const publicKey = keys.get(file ?? "");
    if (publicKey !== undefined) return name === "" ? publicKey : `${name}=${publicKey}`;
    const known = here.find(([pattern]) => pattern.test(word));
    return known === undefined ? word : word.replace(known[0], known[1]);
  };
  const environment = {
    ...store.environment,
    HOME: join(store.directory, "home"),
    XDG_STATE_HOME: at("xdg-state"),
    // The certificate is of nobody's authority.
    NODE_EXTRA_CA_CERTS: at("cert.pem"),
  };

  async function start(file: string, args: readonly string[], ready: RegExp, log: string): Promise<void> {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", file, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: environment,
    });
    children.push(child);
    let said = "";
    const ended = once(child, "exit").then(() => "ended" as const);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const deadline = AbortSignal.timeout(60_000);
    while (!ready.test(said)) {
      deadline.throwIfAborted();
      const state = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))]);
      if (state === "ended") throw new Error(`${log} ended:\n${said}`);
    }
  }

  return {
    directory,
    fleet,
    cache,
    serverUrl: `tls://localhost:${port}`,
    keys,
    async write(name, content) {
      await writeFile(at(name), typeof content === "string" ? content : JSON.stringify(content));
    },
    async run(words, as = "operator") {
      const config = as === "builder" ? at("builder.json") : at("operator.json");
      const args = words.map((word) => translated(word.replaceAll(/^"|"$/g, "")));
      // The server is set up before there is one.
      const configured = existsSync(config) ? { HOMELAB_DEPLOY_CONFIG: config } : {};
      const env = { ...environment, ...configured };
      return new Promise<Ran>((resolve) => {
        execFile(
          process.execPath,
          [program, ...args],
          { env, maxBuffer: 64 * 1024 * 1024 },
          (error, stdout, stderr) => {
            resolve({
              exitCode: typeof error?.code === "number" ? error.code : error === null ? 0 : -1,
              stdout,
              stderr,
            });
          },
        );
      });
    },
    async startServer(configuration) {
      await writeFile(at("nats-server.conf"), configuration);
      const binary = process.env["NATS_SERVER_BIN"] ?? "nats-server";
      await start(binary, ["-c", at("nats-server.conf")], /Server is ready/, "nats-server");
    },
    startBuilder: async () =>
      start(
        process.execPath,
        [program, "builder", "--config", at("builder.json")],
        /the builder is ready/,
        "the builder",
      ),
    async setSystem(path) {
      await rm(at("current-system"), { force: true });
      await symlink(path, at("current-system"));
    },
    async [Symbol.asyncDispose]() {
      for (const child of children.toReversed()) {
        const ended = once(child, "exit");
        if (child.kill("SIGKILL") && child.exitCode === null && child.signalCode === null) await ended;
      }
      await cache[Symbol.asyncDispose]();
      await fleet.remove();
      await store.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
