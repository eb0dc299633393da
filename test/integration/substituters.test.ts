// Which substituters a build can use, asked by the Nix of this machine, and what a builder does when there is none.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createNix } from "../../src/nix/create-nix.ts";
import type { SubstituterProbe } from "../../src/nix/realiser.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { foldEvents, type BuildState } from "../../src/protocol/build-state.ts";
import { decodeEvent } from "../../src/protocol/events.ts";
import { parseBuildId } from "../../src/protocol/names.ts";
import { freePort } from "../support/free-port.ts";
import { startHttpProxy } from "../support/http-proxy.ts";
import { serveNarCache, type Fault } from "../support/nar-cache.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";
import { startHomelab, type CommandResult } from "../support/start-homelab.ts";
import { startTlsFront } from "../support/tls-front.ts";

const never = new AbortController().signal;
/** Nobody listens on port 1. */
const closed = "http://127.0.0.1:1";
let store: ThrowAwayStore;
let count = 0;

beforeAll(async () => {
  store = await createThrowAwayStore();
});
afterAll(async () => store.remove());

interface Question {
  readonly settings?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
}

/** As a builder asks, with a nix.conf of its own. Nix waits most of that time, so that they ask at the same time. */
async function probe(
  substituters: readonly string[],
  { settings = {}, environment = {} }: Question = {},
): Promise<SubstituterProbe> {
  const directory = join(store.directory, `probe-${++count}`);
  await mkdir(directory);
  const lines = {
    "experimental-features": "nix-command flakes",
    sandbox: "false",
    "build-users-group": "",
    substituters: substituters.join(" "),
    ...settings,
  };
  await writeFile(
    join(directory, "nix.conf"),
    Object.entries(lines)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(""),
  );
  const nix = await createNix(
    {
      exec: createExec(),
      environment: { ...store.environment, NIX_CONF_DIR: directory, ...environment },
      stateDirectory: join(directory, "ours"),
      clock: systemClock,
      log: silentLog,
    },
    never,
  );
  return nix.probeSubstituters(never);
}

/** An empty cache of this store, with a priority. */
const serveEmpty = async (info?: string) =>
  serveNarCache(async (path) =>
    path === "/nix-cache-info"
      ? Buffer.from(info ?? `StoreDir: ${store.storeDirectory}\nPriority: 10\n`)
      : undefined,
  );

const isUp = { use: undefined, dead: [] };
const isDown = (url: string, reason: RegExp): SubstituterProbe => ({
  use: [],
  dead: [{ url, reason: expect.stringMatching(reason) as string }],
});

const passing: Record<string, Fault> = {
  "answers 503 once": { status: 503, times: 1 },
  "answers 429 once": { status: 429, headers: { "retry-after": "1" }, times: 1 },
  "hangs up once": { hangUp: true, times: 1 },
  "hangs once": { hang: true, times: 1 },
};
test.concurrent.each(Object.entries(passing))("a substituter that %s is used", async (_, fault) => {
  await using cache = await serveEmpty();
  cache.setFault("/nix-cache-info", fault);
  expect(await probe([cache.url])).toEqual(isUp);
});

const lasting: Record<string, { readonly path?: string; readonly fault: Fault; readonly reason: RegExp }> = {
  "answers 503": { fault: { status: 503 }, reason: /HTTP error 503/ },
  "wants us to slow down": { fault: { status: 429 }, reason: /HTTP error 429/ },
  hangs: { fault: { hang: true }, reason: /^no answer in 20 seconds/ },
  "is no cache": { fault: { status: 404 }, reason: /does not appear to be a binary cache/ },
  "is of another store": {
    fault: { edit: () => "StoreDir: /other/store\n" },
    reason: /is for Nix stores with prefix '\/other\/store'/,
  },
  "shows a page to sign in at": {
    path: "*",
    fault: { edit: () => "<html>sign in</html>", status: 200 },
    reason: /\.narinfo' is corrupt/,
  },
};
test.concurrent.each(Object.entries(lasting))(
  "a substituter that %s is left out",
  async (_, { path = "/nix-cache-info", fault, reason }) => {
    await using cache = await serveEmpty();
    cache.setFault(path, fault);
    expect(await probe([cache.url])).toEqual(isDown(cache.url, reason));
  },
);

test.concurrent("a substituter whose narinfos are errors is left out: Nix 2.8 hangs on it", async () => {
  await using cache = await serveNarCache(async (path) => {
    if (path === "/nix-cache-info") return Buffer.from(`StoreDir: ${store.storeDirectory}\n`);
    throw new Error("the connection ends");
  });
  expect((await probe([cache.url])).use).toEqual([]);
});

test.concurrent.each([
  [closed, /connect/i],
  ["http://nowhere.invalid", /resolve host/],
  ["ssh-ng://nowhere.invalid", /resolve hostname/],
  ["http://user:secret@nowhere.invalid/?token=secret", /resolve host/],
])("%s cannot be reached", async (url, reason) => {
  const { use, dead } = await probe([url]);
  expect(use).toEqual([]);
  expect(dead).toEqual([
    { url: expect.not.stringContaining("secret") as string, reason: expect.stringMatching(reason) as string },
  ]);
  expect(dead[0]?.reason).not.toContain("secret");
});

test.concurrent("of several only those that are down are left out, with their parameters and in their order", async () => {
  await using one = await serveEmpty();
  await using other = await serveEmpty();
  const local = `file://${join(store.directory, "local-cache")}`;
  const urls = [closed, `${one.url}?priority=50`, local, "http://nowhere.invalid", other.url];
  const { use, dead } = await probe(urls);
  expect(use).toEqual([`${one.url}?priority=50`, local, other.url]);
  expect(dead.map(({ url }) => url)).toEqual([closed, "http://nowhere.invalid"]);
});

test("with none, and where Nix may ask none, there is nothing to ask", async () => {
  expect(await probe([])).toEqual(isUp);
  expect(await probe([closed], { settings: { substitute: "false" } })).toEqual(isUp);
});

test.concurrent.each(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])(
  "a substituter behind a proxy is used, named by %s",
  async (variable) => {
    await using cache = await serveEmpty();
    await using proxy = await startHttpProxy({ "cache.lab": cache.url });
    expect(await probe(["http://cache.lab"], { environment: { [variable]: proxy.url } })).toEqual(isUp);
    expect(proxy.requests).toContain("http://cache.lab/nix-cache-info");
    const direct = { [variable]: proxy.url, NO_PROXY: "cache.lab" };
    expect((await probe(["http://cache.lab"], { environment: direct })).use).toEqual([]);
  },
);

test.concurrent("a substituter of a private authority is used where Nix trusts it, and left out elsewhere", async () => {
  await using cache = await serveEmpty();
  await using front = await startTlsFront(cache.url, store.directory);
  expect((await probe([front.url])).use).toEqual([]);
  for (const variable of ["NIX_SSL_CERT_FILE", "SSL_CERT_FILE"]) {
    expect(await probe([front.url], { environment: { [variable]: front.caFile } })).toEqual(isUp);
  }
});

test.concurrent("a substituter that wants a password is used where netrc-file has it", async () => {
  await using cache = await serveNarCache(
    async (path) =>
      path === "/nix-cache-info" ? Buffer.from(`StoreDir: ${store.storeDirectory}\n`) : undefined,
    { authorization: `Basic ${Buffer.from("u:p").toString("base64")}` },
  );
  const netrc = join(store.directory, "netrc");
  await writeFile(netrc, "machine 127.0.0.1 login u password p\n", { mode: 0o600 });
  expect(await probe([cache.url], { settings: { "netrc-file": netrc } })).toEqual(isUp);
  expect((await probe([cache.url])).use).toEqual([]);
});

test("a daemon is asked with the proxy and the settings that it has", async () => {
  await using cache = await serveEmpty();
  await using refusing = await serveNarCache(async () => undefined, { authorization: "Basic nobody" });
  await using proxy = await startHttpProxy({ "cache.lab": cache.url });
  const urls = ["http://cache.lab", refusing.url, "http://127.0.0.1:1"];
  await using shared = await createThrowAwayStore({ substituters: urls.join(" ") });
  cache.setFault("/nix-cache-info", { edit: () => `StoreDir: ${shared.storeDirectory}\n` });
  const socket = join(shared.directory, "daemon.socket");
  const daemon = spawn("nix-daemon", {
    env: {
      ...shared.environment,
      NIX_DAEMON_SOCKET_PATH: socket,
      HOME: join(shared.directory, "home"),
      http_proxy: proxy.url,
      no_proxy: "127.0.0.1",
    },
    stdio: "ignore",
  });
  try {
    await expect.poll(async () => (await stat(socket).catch(() => undefined))?.isSocket()).toBe(true);
    const nix = await createNix(
      {
        exec: createExec(),
        environment: { ...shared.environment, NIX_REMOTE: "daemon", NIX_DAEMON_SOCKET_PATH: socket },
        stateDirectory: join(shared.directory, "ours"),
        clock: systemClock,
        log: silentLog,
      },
      never,
    );
    const { use, dead } = await nix.probeSubstituters(never);
    expect(use).toEqual(["http://cache.lab"]);
    expect(dead.map(({ url }) => url)).toEqual([refusing.url, "http://127.0.0.1:1"]);
  } finally {
    daemon.kill("SIGTERM");
    if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, "exit");
  }
});

function stateOf({ stdout }: CommandResult): BuildState {
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => decodeEvent(new TextEncoder().encode(line)));
  return foldEvents(events[0]?.build ?? parseBuildId(""), events);
}

test("a builder leaves a substituter out with a warning, waits for the last one, and builds without where it may", async () => {
  const port = await freePort();
  const substituter = `http://127.0.0.1:${port}`;
  await using homelab = await startHomelab({ substituters: substituter });

  await homelab.fleet.commit({ hosts: 2, salt: "build" });
  await homelab.startBuilder("builder1", { build: { withoutSubstituters: "build" } });
  const built = await homelab.run(["build", "--all", "--json"]);
  expect(built.exitCode).toBe(0);
  expect(stateOf(built).warnings).toEqual([
    expect.stringContaining(`the substituter ${substituter} is left out`),
  ]);

  await homelab.stopAll();
  await homelab.startBuilder("builder1", { build: { withoutSubstituters: "wait" } });
  // What is built does not wait.
  const unchanged = await homelab.run(["build", "--all", "--json"]);
  expect(unchanged.exitCode).toBe(0);
  expect(stateOf(unchanged).warnings).toEqual([]);

  await homelab.fleet.commit({ hosts: 2, salt: "wait" });
  let said = "";
  const waiting = homelab.run(["build", "--all", "--json"], {
    onStarted: ({ stdout }) => stdout?.on("data", (chunk: Buffer) => (said += chunk.toString())),
  });
  await expect.poll(() => said).toContain("no substituter can be used");
  await using cache = await serveNarCache(
    async (path) =>
      path === "/nix-cache-info"
        ? Buffer.from(`StoreDir: ${homelab.store.storeDirectory}\nPriority: 10\n`)
        : undefined,
    { port },
  );
  const state = stateOf(await waiting);
  expect(state.status).toBe("succeeded");
  expect(state.warnings).toEqual([
    expect.stringMatching(/^no substituter can be used; waiting up to 30 minutes .*; trying again$/),
  ]);
  expect(cache.requests).toContain("/nix-cache-info");
});

test("a substituter that no trusted key signs is named, and what it has is built", async () => {
  await using from = await createThrowAwayStore();
  const cache = join(from.directory, "cache");
  await using homelab = await startHomelab({ substituters: `file://${cache}` });
  await homelab.fleet.commit({ hosts: 1, salt: "unsigned" });
  await homelab.startBuilder();
  // Built once for the copy, and taken away again.
  const first = stateOf(await homelab.run(["build", "--all", "--json"]));
  const [host] = first.hosts.values();
  const outPath = host?.finished?.outPath ?? "";
  expect(first.warnings).toEqual([]);
  await homelab.store.run("nix", "copy", "--to", `file://${cache}`, outPath);
  await homelab.stopAll();
  await rm(join(homelab.store.stateDirectory, "gcroots"), { recursive: true, force: true });
  await homelab.store.run("nix-store", "--delete", outPath);

  await homelab.startBuilder();
  const again = stateOf(await homelab.run(["build", "--all", "--json"]));
  expect(again.status).toBe("succeeded");
  expect(again.warnings).toEqual([
    expect.stringContaining(`nothing is taken from the substituter file://${cache}`),
  ]);
});
