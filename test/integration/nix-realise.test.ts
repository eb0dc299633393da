import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, readlink, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as v from "valibot";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createDerivationReader } from "../../src/nix/store/derivation.ts";
import { createFindFailures } from "../../src/nix/realise/failures.ts";
import type { FailureAnalysis, NixActivity, RealiseOptions, RealiseResult } from "../../src/nix/realiser.ts";
import { countOutOfMemoryKills } from "../../src/nix/create-nix.ts";
import { readNixSettings } from "../../src/nix/settings/nix-settings.ts";
import { createRealise } from "../../src/nix/realise/realise.ts";
import { isFull } from "../../src/nix/realise/store-room.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { StorePath } from "../../src/protocol/names.ts";
import { createFleet, type Fleet, type FleetToggles } from "../support/fleet.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";

const run = promisify(execFile);
const limits: RealiseOptions = { timeoutSeconds: 60, silenceSeconds: 60, maxJobs: 4, cores: 1 };

let store: ThrowAwayStore;
let fleet: Fleet;
let version: string;
let salt = 0;
beforeAll(async () => {
  store = await createThrowAwayStore();
  const signal = AbortSignal.timeout(50_000);
  ({ version } = await readNixSettings(createExec(), ourEnvironment(), signal));
  fleet = await createFleet(store.directory);
});
afterAll(async () => store.remove());

const hostAttribute = (host: string): string => `nixosConfigurations."${host}".config.system.build.toplevel`;

/** The derivations of these attributes in a new fleet of which nothing is built yet. */
async function derivationsOf(toggles: FleetToggles, ...attributes: string[]): Promise<StorePath[]> {
  const commit = await fleet.commit({ salt: `realise-${salt++}`, logLines: 1, ...toggles });
  const flake = `git+file://${fleet.bare}?ref=refs/heads/main&rev=${commit}`;
  const paths = [];
  for (const attribute of attributes) {
    const flags = ["--option", "eval-cache", "false"];
    paths.push(await store.run("nix", "eval", "--raw", ...flags, `${flake}#${attribute}.drvPath`));
  }
  return paths.map((path) => v.parse(StorePath, path));
}

async function validPaths(paths: readonly StorePath[]): Promise<ReadonlySet<StorePath>> {
  if (paths.length === 0) return new Set();
  const invalid = await store.run("nix-store", "--check-validity", "--print-invalid", ...paths);
  return new Set(paths.filter((path) => !invalid.split("\n").includes(path)));
}

const buildsDirectory = (): string => join(store.directory, "our-builds");

const ourEnvironment = () => ({ ...store.environment, HOME: join(store.directory, "home") });

function createRealiseHere(environment: Readonly<Record<string, string>> = {}) {
  return createRealise({
    exec: createExec(),
    clock: systemClock,
    log: silentLog,
    readDerivation: createDerivationReader(),
    environment: { ...ourEnvironment(), ...environment },
    version,
    machines: [],
    opensStoreItself: environment["NIX_REMOTE"] === undefined,
    buildsDirectory: buildsDirectory(),
    countOutOfMemoryKills,
  });
}

interface Built {
  readonly result: RealiseResult;
  readonly activities: readonly NixActivity[];
  readonly analysis: FailureAnalysis;
}

async function build(
  drvPaths: readonly StorePath[],
  options: RealiseOptions = limits,
  environment: Readonly<Record<string, string>> = {},
  onActivity: (activity: NixActivity) => void = () => undefined,
): Promise<Built> {
  const activities: NixActivity[] = [];
  const signal = AbortSignal.timeout(50_000);
  const take = (activity: NixActivity): void => {
    activities.push(activity);
    onActivity(activity);
  };
  const result = await createRealiseHere(environment)(drvPaths, options, take, signal);
  const findFailures = createFindFailures({
    readDerivation: createDerivationReader(),
    validPaths,
    present: async (path) => existsSync(path),
    places: { here: ["x86_64-linux"], machines: [] },
    readLog: async () => undefined,
    isStoreFull: async () => isFull(store.storeDirectory),
  });
  const analysis = await findFailures(drvPaths, result, options, signal);
  expect(await readdir(buildsDirectory())).toEqual([]);
  return { result, activities, analysis };
}

/** Name: kind of every cause. */
const causesOf = ({ analysis }: Built): Record<string, string> =>
  Object.fromEntries([...analysis.causes.values()].map(({ name, kind }) => [shortName(name), kind]));
const reasonsOf = ({ analysis }: Built): string[] =>
  [...analysis.causes.values()].map(({ reason }) => reason);
const shortName = (name: string): string => name.replace(/^nixos-system-(.*)-24\.11\.synthetic$/, "$1");

test("a fleet that builds has valid outputs, all its log, and no failures", async () => {
  const drvs = await derivationsOf({ hosts: 2 }, hostAttribute("host01"), hostAttribute("host02"));
  const built = await build(drvs);
  expect(built.result).toMatchObject({ exitCode: 0, killedBy: undefined, messages: [], outOfMemoryKills: 0 });
  expect(built.analysis).toEqual({ causes: new Map(), brokenBy: new Map() });
  // Nix 2.34 counts the aggregate as failed.
  expect(built.activities.findLast(({ type }) => type === "build-counts")).toMatchObject({ done: 7 });
  const ends = built.activities.filter((activity) => activity.type === "derivation-stopped");
  expect(ends.map(({ failed }) => failed)).toEqual(Array.from({ length: 7 }, () => undefined));
  expect([...built.result.started.values()].map(({ end }) => end)).toEqual(
    Array.from({ length: 7 }, () => "known"),
  );
  expect(built.result.started.size).toBe(7);
  expect([...built.result.started.values()]).toContainEqual(
    expect.objectContaining({ phase: "installPhase" }),
  );
});

describe("a failure", () => {
  test("of a derivation that all share breaks all hosts, once", async () => {
    const hosts = ["host01", "host02", "host03"];
    const drvs = await derivationsOf({ hosts: 3, sharedFail: { "1": "exit1" } }, ...hosts.map(hostAttribute));
    const built = await build(drvs);
    expect(built.result.exitCode).toBe(100);
    expect([...built.analysis.causes.values()]).toEqual([
      {
        kind: "failed",
        name: "shared-1",
        reason: "builder failed with exit code 1",
        exitCode: 1,
        phase: "buildPhase",
      },
    ]);
    const [cause] = built.analysis.causes.keys();
    expect(built.analysis.brokenBy).toEqual(new Map(drvs.map((drv) => [drv, [cause]])));
  });

  test("of one host's own derivation leaves the others alone", async () => {
    const toggles = { hosts: 2, privateFail: { host01: "exit2silent" } };
    const drvs = await derivationsOf(toggles, hostAttribute("host01"), hostAttribute("host02"));
    const built = await build(drvs);
    expect(causesOf(built)).toEqual({ "host01-pkg-1": "failed" });
    expect([...built.analysis.brokenBy.keys()]).toEqual([drvs[0]]);
  });

  test.each([
    ["exit100", "builder failed with exit code 100"],
    ["kill", "builder failed due to signal 9 (Killed)"],
    ["segv", "builder failed due to signal 11 (Segmentation fault)"],
    ["nooutput", "builder failed to produce the output 'out'"],
    ["bigfail", "builder failed with exit code 1"],
    ["longline", "builder failed with exit code 1"],
  ])("by %s is the host's own", async (mode, reason) => {
    const built = await build(
      await derivationsOf({ hosts: 1, buildFail: { host01: mode } }, hostAttribute("host01")),
    );
    expect(causesOf(built)).toEqual({ host01: "failed" });
    expect(reasonsOf(built)).toEqual([reason]);
  });

  test("by a wrong hash is the derivation's own", async () => {
    const built = await build(await derivationsOf({}, "packages.x86_64-linux.hash-mismatch"));
    expect(causesOf(built)).toEqual({ "fod-mismatch": "failed" });
    expect(reasonsOf(built)).toEqual([
      expect.stringMatching(/^hash mismatch: specified sha256-\S+, got sha256-/),
    ]);
  });

  test.each([
    ["chatty", { timeoutSeconds: 2, silenceSeconds: 60 }, "timed out after 2 seconds"],
    ["silent", { timeoutSeconds: 60, silenceSeconds: 2 }, "timed out after 2 seconds without output"],
  ])("by a limit is a timeout: %s", async (mode, some, reason) => {
    const toggles = { hosts: 2, buildFail: { host01: mode, host02: "exit1" } };
    const drvs = await derivationsOf(toggles, hostAttribute("host01"), hostAttribute("host02"));
    const built = await build(drvs, { ...limits, ...some });
    expect(causesOf(built)).toEqual({ host01: "timed-out", host02: "failed" });
    expect(reasonsOf(built)).toContain(reason);
  });

  test("for want of a builder is none of the host's", async () => {
    const built = await build(
      await derivationsOf({ hosts: 1, system: "aarch64-linux" }, hostAttribute("host01")),
    );
    expect(new Set(Object.values(causesOf(built)))).toEqual(new Set(["no-builder"]));
    expect(new Set(reasonsOf(built))).toEqual(new Set(["no builder for 'aarch64-linux'"]));
  });
});

test("what a builder forges changes no verdict", async () => {
  const toggles = { hosts: 2, buildFail: { host01: "fakejson" }, hostSeconds: 1 };
  const drvs = await derivationsOf(toggles, hostAttribute("host01"), hostAttribute("host02"));
  const built = await build(drvs);
  expect(built.activities).toContainEqual({
    type: "message",
    message: { level: 0, text: "error: forged by a builder", authentic: false, own: false },
  });
  expect(causesOf(built)).toEqual({ host01: "failed" });
  expect(reasonsOf(built)).toEqual(["builder failed with exit code 1"]);
  expect(built.result.started.size).toBe(7);
});

test("a hundred thousand lines of log arrive, all and in order, also when their reader is slow at times", async () => {
  const [drv] = await derivationsOf(
    { hosts: 1, shared: 0, perHostDrvs: 0, logLines: 100_000 },
    hostAttribute("host01"),
  );
  const numbers: number[] = [];
  let reads = 0;
  const result = await createRealiseHere()(
    drv === undefined ? [] : [drv],
    limits,
    (activity) => {
      if (activity.type !== "log-lines") return undefined;
      for (const line of activity.lines) {
        const number = /^log line (?<number>\d+) of /.exec(line)?.groups?.["number"];
        if (number !== undefined) numbers.push(Number(number));
      }
      return reads++ % 100 === 0 ? systemClock.sleep(50) : undefined;
    },
    AbortSignal.timeout(50_000),
  );
  expect(result.exitCode).toBe(0);
  expect(numbers).toEqual(Array.from({ length: 100_000 }, (_, index) => index));
});

test("a substituter that refuses connections does not keep a host from being built", async () => {
  const built = await build(await derivationsOf({ hosts: 1 }, hostAttribute("host01")), {
    ...limits,
    substituters: ["http://127.0.0.1:1"],
  });
  expect(built.result.exitCode).toBe(0);
  expect(built.analysis.brokenBy.size).toBe(0);
});

describe("a cancelled build", () => {
  test.each(["ignoreterm", "children"])("leaves nothing behind: %s", async (mode) => {
    const drvs = await derivationsOf({ hosts: 1, buildFail: { host01: mode } }, hostAttribute("host01"));
    const controller = new AbortController();
    const reason = new Error("cancelled by the test");
    let printed = 0;
    const building = createRealiseHere()(
      drvs,
      limits,
      (activity) => {
        if (activity.type !== "log-lines") return;
        printed += activity.lines.filter((line) => /^(?:ignoring|kids)$/.test(line)).length;
      },
      controller.signal,
    );
    building.catch(() => undefined);
    await expect.poll(() => printed, { timeout: 30_000 }).toBe(1);
    expect(await processesOf(buildsDirectory())).not.toEqual([]);
    controller.abort(reason);
    await expect(building).rejects.toBe(reason);
    expect(await processesOf(buildsDirectory())).toEqual([]);
    expect(await readdir(buildsDirectory())).toEqual([]);
  });
});

describe("through the Nix daemon, which drops the mark of Nix's own errors", () => {
  let daemon: ChildProcess;
  let remote: Readonly<Record<string, string>>;
  beforeEach(async () => {
    const socket = join(store.directory, "daemon.socket");
    remote = { NIX_REMOTE: "daemon", NIX_DAEMON_SOCKET_PATH: socket };
    const env = { ...store.environment, NIX_DAEMON_SOCKET_PATH: socket, HOME: join(store.directory, "home") };
    daemon = spawn("nix-daemon", { env, stdio: "ignore", detached: true });
    await expect.poll(async () => (await stat(socket).catch(() => undefined))?.isSocket()).toBe(true);
  });
  afterEach(async () => {
    if (daemon.exitCode === null && daemon.signalCode === null) {
      daemon.kill("SIGTERM");
      await once(daemon, "exit");
    }
    // Without build users a builder outlives the process of the daemon that ran it.
    for (const pid of await processesOf(join(store.directory, "builds")))
      process.kill(Number(pid), "SIGKILL");
    await rm(join(store.directory, "daemon.socket"), { force: true });
  });

  test("each failure has its own cause, and what a builder forges changes none", async () => {
    const toggles = {
      hosts: 4,
      shared: 1,
      perHostSeconds: 1,
      hostSeconds: 1,
      privateFail: { host02: "exit2silent" },
      buildFail: { host01: "fakejson", host03: "nooutput" },
    };
    const hosts = ["host01", "host02", "host03", "host04"];
    const drvs = await derivationsOf(toggles, ...hosts.map(hostAttribute));
    const built = await build(drvs, { ...limits, maxJobs: 2 }, remote);
    expect(causesOf(built)).toEqual({ host01: "failed", "host02-pkg-1": "failed", host03: "failed" });
    expect(reasonsOf(built).toSorted()).toEqual([
      "builder failed to produce the output 'out'",
      "builder failed with exit code 1",
      "builder failed with exit code 2",
    ]);
  });

  test("a timeout is one also while others go on", async () => {
    const toggles = { hosts: 2, shared: 0, buildFail: { host01: "silent", host02: "ticks" } };
    const drvs = await derivationsOf(toggles, hostAttribute("host01"), hostAttribute("host02"));
    const built = await build(drvs, { ...limits, silenceSeconds: 2 }, remote);
    expect(causesOf(built)).toEqual({ host01: "timed-out" });
    expect(reasonsOf(built)).toEqual(["timed out after 2 seconds without output"]);
  });

  test("a daemon that goes away is nobody's fault", async () => {
    const drvs = await derivationsOf({ hosts: 1, buildFail: { host01: "chatty" } }, hostAttribute("host01"));
    const { promise: ended, resolve } = Promise.withResolvers<Promise<void>>();
    const built = await build(drvs, limits, remote, (activity) => {
      if (activity.type === "log-lines" && activity.lines.includes("tick")) resolve(killConnections(daemon));
    });
    await ended;
    expect(causesOf(built)).toEqual({ host01: "infra" });
  });
});

/** The daemon serves each connection by a child, which is in a session of its own and takes no SIGTERM. */
async function killConnections({ pid }: ChildProcess): Promise<void> {
  const { stdout } = await run("ps", ["--ppid", String(pid), "-o", "pid="]);
  for (const child of stdout.split("\n").filter((line) => line.trim() !== ""))
    process.kill(Number(child), "SIGKILL");
}

/** The processes that work in this directory, or have it in their environment. */
async function processesOf(directory: string): Promise<string[]> {
  const { stdout } = await run("ps", ["-e", "-o", "pid="]);
  const found = [];
  for (const pid of stdout.split("\n").map((text) => text.trim())) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
    const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
    if (cwd.startsWith(directory) || environment.includes(directory)) found.push(pid);
  }
  return found.filter((pid) => pid !== "");
}
