import { existsSync } from "node:fs";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createDerivationReader } from "../../src/nix/store/derivation.ts";
import { createNixCache } from "../../src/nix/evaluate/nix-cache.ts";
import { createEvaluator } from "../../src/nix/evaluate/create-evaluator.ts";
import { nixEnvironment, prepareNixDirectory } from "../../src/nix/nix-environment.ts";
import { readNixSettings } from "../../src/nix/settings/nix-settings.ts";
import type {
  EvaluationEvent,
  EvaluationFailure,
  EvaluationOptions,
  FlakeSource,
  HostEvaluation,
} from "../../src/nix/evaluator.ts";
import { countOutOfMemoryKills } from "../../src/nix/create-nix.ts";
import { createStoreQueries } from "../../src/nix/store/store-queries.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { readProcessTable } from "../../src/process/process-table.ts";
import { type Commit, type HostName, parseHostName, StorePath } from "../../src/protocol/names.ts";
import { createFleet, type Fleet, type FleetToggles } from "../support/fleet.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";

const signal = new AbortController().signal;
const exec = createExec();
const options: EvaluationOptions = {
  timeoutMs: 30_000,
  maxMemoryBytes: 1024 ** 3,
  allowImportFromDerivation: false,
};
const oddNames = ["web.example.com", 'a"q', "${x}", "with space", "ünï", "-dash"];
const broken: FleetToggles = {
  hosts: 8,
  extraHosts: oddNames,
  warnings: { host01: ["option foo is deprecated", "\u001b[31mred"], host02: ["first", "second"] },
  evalWarn: { host01: "traced" },
  evalFail: {
    host02: "throw",
    host03: "abort",
    host04: "infinite",
    host05: "missing",
    host06: "hang",
    host07: "memory",
  },
  ifd: ["host08"],
};

let store: ThrowAwayStore;
let fleet: Fleet;
let source: FlakeSource;
let version: string;
beforeAll(async () => {
  store = await createThrowAwayStore();
  fleet = await createFleet(store.directory);
  source = { mirror: fleet.bare, commit: await fleet.commit(broken) };
  await prepareNixDirectory(join(store.directory, "ours"));
  ({ version } = await readNixSettings(exec, environment(), signal));
});
afterAll(async () => store.remove());

const environment = (changes: Readonly<Record<string, string>> = {}) => ({
  ...nixEnvironment(store.environment, join(store.directory, "ours")),
  ...changes,
});
const evaluator = (changes: Readonly<Record<string, string>> = {}) =>
  createEvaluator({
    exec,
    environment: environment(changes),
    version,
    clock: systemClock,
    buildsDirectory: join(store.directory, "ours", "builds"),
    outOfMemoryKills: countOutOfMemoryKills,
    nixCache: createNixCache(environment(changes)),
    readDerivation: createDerivationReader(),
    readLog: createStoreQueries({ exec, environment: environment(changes) }).readLog,
    storeDirectory: store.storeDirectory,
  });

/** All that the evaluator says. */
const eventsOf = async (
  names: readonly string[],
  of = source,
  changed: Partial<EvaluationOptions> = {},
): Promise<readonly EvaluationEvent[]> =>
  Array.fromAsync(evaluator().evaluate(of, names.map(parseHostName), { ...options, ...changed }, signal));

/** What it found of the last host that it came to. */
const evaluate = async (...args: Parameters<typeof eventsOf>): Promise<EvaluationEvent | undefined> =>
  (await eventsOf(...args)).at(-1);

const evaluationsIn = (events: readonly EvaluationEvent[]): ReadonlyMap<HostName, HostEvaluation> =>
  new Map(events.flatMap((event) => (event.type === "evaluated" ? [[event.host, event.evaluation]] : [])));

test("says what this Nix is", async () => {
  const settings = await readNixSettings(exec, environment(), signal);
  expect(settings).toMatchObject({
    storeDirectory: store.storeDirectory,
    stateDirectory: store.stateDirectory,
    substituters: [],
  });
  expect(settings.version).toMatch(/^\d+\.\d+/);
  expect(settings.places.here).toContain(settings.system);
});

test("lists all hosts, broken ones and odd names too", async () => {
  const names = await evaluator().listHosts(source, options, signal);
  expect(new Set(names)).toEqual(
    new Set([...oddNames, ...Array.from({ length: 8 }, (_, index) => `host0${index + 1}`)]),
  );
});

test("evaluates hosts to derivations that are in the store, with their warnings", async () => {
  const hosts = evaluationsIn(await eventsOf(["host01", "web.example.com"]));
  expect([...hosts.keys()]).toEqual(["host01", "web.example.com"]);
  const first = hosts.get(parseHostName("host01"));
  expect(first).toMatchObject({
    system: "x86_64-linux",
    warnings: ["option foo is deprecated", "red", "traced"],
    outPath: expect.stringMatching(/-nixos-system-host01-24\.11\.synthetic$/) as string,
  });
  const { validPaths } = createStoreQueries({ exec, environment: environment() });
  const drvPath = v.parse(StorePath, first?.drvPath);
  const outPath = v.parse(StorePath, first?.outPath);
  expect(await validPaths([drvPath, outPath], signal)).toEqual(new Set([drvPath]));
});

test("a host that throws takes nothing from those before it", async () => {
  const events = await eventsOf(["host01", "host02", "web.example.com"]);
  expect(events.map((event) => [event.type, "host" in event ? event.host : undefined])).toEqual([
    ["begun", "host01"],
    ["evaluated", "host01"],
    ["begun", "host02"],
    ["failed", undefined],
  ]);
});

test.each([
  ["host02", "host host02: this option does not exist"],
  ["host03", "evaluation aborted with the following error message: 'host host03: aborted'"],
  ["host04", "infinite recursion encountered"],
  ["host05", "attribute 'missingAttribute' missing"],
  ["host08", "during evaluation because the option 'allow-import-from-derivation' is disabled"],
  ["no-such-host", "attribute 'no-such-host' missing"],
])("says why %s does not evaluate", async (host, message) => {
  const outcome = await evaluate([host]);
  expect(outcome).toMatchObject({
    type: "failed",
    hosts: [host],
    failure: {
      cause: "error",
      message: expect.stringContaining(message) as string,
      details: expect.not.stringContaining("\u001b") as string,
    },
  });
});

test("a host that throws still says what its configuration warns of", async () => {
  expect(await evaluate(["host02"])).toMatchObject({
    type: "failed",
    failure: { cause: "error", isOwn: true, warnings: ["first", "second"] },
  });
});

test("warnings that only make sense without the error do not hide it", async () => {
  const host = (name: string, warning: string): string => `${name}.config = {
    warnings = [ ${warning} ]; system.build.toplevel = throw "set services.foo.settings"; };`;
  const flake = `{ outputs = _: { nixosConfigurations = {
    ${host("odd", "(null).missing")}
    ${host("endless", "(let f = n: if n == 0 then 0 else f (n - 1) + f (n - 1); in toString (f 60))")}
  }; }; }`;
  const of = { mirror: fleet.bare, commit: await commitFlake(flake) };
  for (const name of ["odd", "endless"]) {
    expect(await evaluate([name], of, { timeoutMs: 3000 })).toMatchObject({
      type: "failed",
      hosts: [name],
      failure: {
        cause: "error",
        isOwn: true,
        message: expect.stringContaining("set services.foo") as string,
      },
    });
  }
});

test("a host whose error Nix cannot catch is named, with its own words", async () => {
  expect(await evaluate(["host01", "host05"])).toMatchObject({
    type: "failed",
    hosts: ["host05"],
    failure: { cause: "error", message: expect.stringContaining("attribute 'missingAttribute' missing") },
  });
});

test("the time limit is for each host", async () => {
  const slow = { hosts: 4, heavy: { ops: 1_500_000, cells: 10 } };
  const commit = await fleet.commit(slow, { branch: "slow" });
  const began = performance.now();
  const names = ["host01", "host02", "host03", "host04"];
  const [alone] = await eventsOf(["host01"], { mirror: fleet.bare, commit });
  expect(alone?.type).toBe("begun");
  const oneMs = performance.now() - began;
  const events = await eventsOf(names, { mirror: fleet.bare, commit }, { timeoutMs: 2.5 * oneMs });
  expect([...evaluationsIn(events).keys()]).toEqual(names);
});

test("says how much memory the evaluator holds", async () => {
  const names = ["host01", "host06"].map(parseHostName);
  let held: number | undefined;
  for await (const event of evaluator().evaluate(source, names, options, signal)) {
    if (event.type !== "evaluated") continue;
    held = event.heldBytes;
    break;
  }
  expect(held).toBeGreaterThan(5 * 1024 ** 2);
  expect(held).toBeLessThan(1024 ** 3);
});

test("what takes too much memory beside others is not judged there", async () => {
  const limits = { maxMemoryBytes: 256 * 1024 ** 2 };
  expect(await evaluate(["host01", "host07"], source, limits)).toMatchObject({
    type: "undecided",
    host: "host07",
  });
});

test("hosts that are one configuration are evaluated once", async () => {
  const flake = `{ outputs = _: let
    one.config.system.build.toplevel = builtins.trace "evaluated" (derivation {
      name = "one"; system = "x86_64-linux"; builder = "/bin/sh"; });
    in { nixosConfigurations = { inherit one; alias = one; }; };
  }`;
  const of = { mirror: fleet.bare, commit: await commitFlake(flake) };
  const found = evaluationsIn(await eventsOf(["alias", "one"], of));
  expect([...found.values()].map(({ warnings }) => warnings)).toEqual([["evaluated"], []]);
});

test("ends an evaluation that does not", async () => {
  const outcome = await evaluate(["host06"], source, { timeoutMs: 1_000 });
  expect(outcome).toMatchObject({
    type: "failed",
    failure: { cause: "timed-out", message: "evaluation took longer than 1 seconds" },
  });
  expect(await evaluatorsLeft()).toEqual([]);
});

test("an abort leaves no evaluator behind", async () => {
  const controller = new AbortController();
  const outcome = Array.fromAsync(
    evaluator().evaluate(source, [parseHostName("host06")], options, controller.signal),
  );
  await expect.poll(evaluatorsLeft).toHaveLength(1);
  controller.abort(new Error("cancelled"));
  await expect(outcome).rejects.toThrow("cancelled");
  expect(await evaluatorsLeft()).toEqual([]);
});

test("one that is left between two hosts leaves none behind", async () => {
  const names = ["host01", "host06"].map(parseHostName);
  for await (const event of evaluator().evaluate(source, names, options, signal)) {
    if (event.type === "begun" && event.host === "host06") break;
  }
  expect(await evaluatorsLeft()).toEqual([]);
});

test("ends an evaluation that takes too much memory", async () => {
  const outcome = await evaluate(["host07"], source, { maxMemoryBytes: 256 * 1024 ** 2 });
  expect(outcome).toMatchObject({
    type: "failed",
    failure: { cause: "out-of-memory", message: "evaluation needs more than 256 MiB of memory" },
  });
});

test("imports from derivations only where that is allowed", async () => {
  const allowed = await evaluate(["host08"], source, { allowImportFromDerivation: true });
  expect(allowed).toMatchObject({ type: "evaluated", host: "host08" });
});

test("evaluates commits of any branch, also side by side", async () => {
  const other = { mirror: fleet.bare, commit: await fleet.commit({ hosts: 2 }, { branch: "feature" }) };
  const third = { mirror: fleet.bare, commit: await fleet.commit({ hosts: 3 }, { branch: "third" }) };
  const listed = await Promise.all(
    [other, third, other, third].map(async (of) => evaluator().listHosts(of, options, signal)),
  );
  expect(listed.map((names) => names.length)).toEqual([2, 3, 2, 3]);
});

test("takes a mirror at any path and a flake in any directory", async () => {
  const flake = "{ outputs = _: { nixosConfigurations.deep = { }; }; }";
  const commit = await fleet.commit({ hosts: 1 }, { files: { "sub dir/ä+b/flake.nix": flake } });
  const mirror = join(store.directory, "we ird%41ü?#x&y+z.git");
  await cp(fleet.bare, mirror, { recursive: true });
  const deep = { mirror, commit, directory: "sub dir/ä+b" };
  expect(await evaluator().listHosts(deep, options, signal)).toEqual(["deep"]);
});

test("in a process of several hosts each has its own warnings", async () => {
  const flake = `{ outputs = _: { nixosConfigurations = builtins.mapAttrs (name: said: {
    config.system.build.toplevel = builtins.trace said (builtins.trace "warning: \${name} too" (derivation {
      inherit name; system = "x86_64-linux"; builder = "/bin/sh"; })); }) { one = "first"; two = "second"; three = "first"; }; }; }`;
  const of = { mirror: fleet.bare, commit: await commitFlake(flake) };
  const found = evaluationsIn(await eventsOf(["one", "two", "three"], of));
  expect([...found].map(([host, { warnings }]) => [host, warnings])).toEqual([
    ["one", ["first", "one too"]],
    ["two", ["second", "two too"]],
    ["three", ["first", "three too"]],
  ]);
});

test("an error has its place in the flake, whoever threw it, and what was warned of before", async () => {
  const lib = `{
  warn = message: builtins.trace "warning: \${message}";
  fail = message: throw message;
  recurse = f: let x = f x; in x;
  }`;
  const input = await fleet.commit({}, { branch: "lib", files: { "lib.nix": lib } });
  const at = `ref = "refs/homelab-deploy/${input}"; rev = "${input}"`;
  const flake = `{
    outputs = _: let lib = import "\${builtins.fetchGit { url = "file://${fleet.bare}"; ${at}; }}/lib.nix"; in {
      nixosConfigurations.thrown.config = lib.warn "soon gone" (lib.fail "In \`\${toString ./.}/flake.nix': no\nreally");
      nixosConfigurations.endless.config = lib.recurse (x:
        x + 1);
      nixosConfigurations.own.config = { }.missing;
    };
  }`;
  const of = { mirror: fleet.bare, commit: await commitFlake(flake) };
  const failureOf = async (host: string) => {
    const outcome = await evaluate([host], of);
    if (outcome?.type !== "failed") throw new Error("it evaluates");
    return outcome.failure;
  };
  const thrown = await failureOf("thrown");
  expect(thrown.warnings).toEqual(["soon gone"]);
  expect(thrown.message.split("\n").slice(0, 2)).toEqual([
    expect.stringMatching(/^flake\.nix:3:\d+: In `flake\.nix': no$/),
    "really",
  ]);
  expect(thrown.details).not.toContain("… homelab-deploy evaluates");
  expect((await failureOf("endless")).message).toMatch(
    /^flake\.nix:[56]:\d+: infinite recursion encountered\n/,
  );
  expect((await failureOf("own")).message).toMatch(/^flake\.nix:7:\d+: attribute 'missing' missing\n/);
});

async function commitFlake(text: string): Promise<Commit> {
  // Instead of one that another test left in the checkout.
  const lock = JSON.stringify({ nodes: { root: {} }, root: "root", version: 7 });
  return fleet.commit({}, { branch: "flakes", files: { "flake.nix": text, "flake.lock": lock } });
}

test("a flake without configurations has no hosts, and a broken one is an error", async () => {
  const without = { mirror: fleet.bare, commit: await commitFlake("{ outputs = _: { }; }") };
  expect(await evaluator().listHosts(without, options, signal)).toEqual([]);
  const wrong = { mirror: fleet.bare, commit: await commitFlake("{ outputs = _: { ") };
  await expect(evaluator().listHosts(wrong, options, signal)).rejects.toMatchObject({
    kind: "failed",
    message: expect.stringContaining("syntax error") as string,
  });
});

test("a commit that the mirror does not have is not a fault of the flake", async () => {
  const missing = { mirror: fleet.bare, commit: "d".repeat(40) as Commit };
  await expect(evaluator().listHosts(missing, options, signal)).rejects.toMatchObject({
    kind: "unavailable",
  });
});

test("an input that cannot be fetched is not a fault of the host", async () => {
  const flake = `{
    inputs.gone = { url = "git+file:///nonexistent/gone.git?ref=main&rev=${"e".repeat(40)}"; flake = false; };
    outputs = { gone, ... }: { nixosConfigurations.web.config = import gone; };
  }`;
  const lock = {
    nodes: {
      gone: {
        flake: false,
        locked: {
          lastModified: 1,
          narHash: "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
          ref: "main",
          rev: "e".repeat(40),
          revCount: 1,
          type: "git",
          url: "file:///nonexistent/gone.git",
        },
        original: {
          ref: "main",
          rev: "e".repeat(40),
          type: "git",
          url: "file:///nonexistent/gone.git",
        },
      },
      root: { inputs: { gone: "gone" } },
    },
    root: "root",
    version: 7,
  };
  const commit = await fleet.commit(
    {},
    { branch: "gone", files: { "flake.nix": flake, "flake.lock": JSON.stringify(lock) } },
  );
  const outcome = await evaluate(["web"], { mirror: fleet.bare, commit });
  expect(outcome).toMatchObject({ type: "failed", failure: { cause: "infra" } });
});

test("an input that the lock lacks is not resolved on the fly: the commit would mean another thing each day", async () => {
  const flake = `{
    inputs.self-made.url = "git+file://${fleet.bare}?ref=refs/homelab-deploy/${source.commit}&rev=${source.commit}";
    outputs = { self-made, ... }: { nixosConfigurations.web.config = self-made.nixosConfigurations.host01.config; };
  }`;
  const unlocked = { mirror: fleet.bare, commit: await commitFlake(flake) };
  await expect(evaluator().listHosts(unlocked, options, signal)).rejects.toMatchObject({
    kind: "failed",
    code: "INVENTORY_FAILED",
    message: expect.stringContaining("flake.lock does not fit flake.nix") as string,
  });
});

test("a host that throws the words of a fault has failed by itself", async () => {
  const thrown = "unable to download 'https://cache.lan/x': Connection refused";
  const flake = `{ outputs = _: { nixosConfigurations.liar.config = throw "${thrown}"; }; }`;
  const outcome = await evaluate(["liar"], { mirror: fleet.bare, commit: await commitFlake(flake) });
  expect(outcome).toMatchObject({ type: "failed", failure: { cause: "error", isOwn: true } });
  expect(outcome).toMatchObject({ failure: { message: expect.stringContaining(thrown) as string } });
});

test("a daemon that is not there is not a fault of the host", async () => {
  const changes = { NIX_REMOTE: `unix://${store.directory}/no-daemon` };
  const hosts = [parseHostName("host01"), parseHostName("web.example.com")];
  const events = await Array.fromAsync(evaluator(changes).evaluate(source, hosts, options, signal));
  expect(events).toMatchObject([{ type: "failed", hosts, failure: { cause: "infra" } }]);
});

test("a flake's own settings are not taken: they can run programs", async () => {
  const ran = join(store.directory, "hook-ran");
  const flake = `{
    nixConfig.post-build-hook = "${store.directory}/hook";
    nixConfig.allow-import-from-derivation = true;
    outputs = _: { nixosConfigurations.web.config = import (derivation {
      name = "ifd"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo '{ }' > $out" ];
    }); };
  }`;
  await writeFile(join(store.directory, "hook"), `#!/bin/sh\necho ran > ${ran}\n`, { mode: 0o755 });
  const hostile = { mirror: fleet.bare, commit: await commitFlake(flake) };
  expect(await evaluate(["web"], hostile)).toMatchObject({
    failure: { message: expect.stringContaining("'allow-import-from-derivation' is disabled") as string },
  });
  expect(await evaluate(["web"], hostile, { allowImportFromDerivation: true })).toMatchObject({
    failure: { message: "attribute 'system' missing" },
  });
  expect(existsSync(ran)).toBe(false);
});

test("what is imported from and cannot be built: its log, and nobody's fault where it could not download", async () => {
  const flake = `{
    outputs = _: let
      build = name: more: derivation ({ inherit name; system = "x86_64-linux"; builder = "/bin/sh"; } // more);
      failing = build "failing" { args = [ "-c" "echo compile error in foo.c:12 >&2; exit 3" ]; };
      fixed = { outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" "x"; };
      download = build "download" ({
        args = [ "-c" "echo 'curl: (6) Could not resolve host: files.invalid' >&2; exit 1" ];
      } // fixed);
    in { nixosConfigurations = {
      own.config = import failing;
      needs.config = import (build "needs" { args = [ "-c" "cat \${failing} > $out" ]; });
      download.config = import download;
      gone.config = import (build "gone" ({
        args = [ "-c" "echo 'curl: (22) The requested URL returned error: 404' >&2; exit 1" ];
      } // fixed));
      claims.config = abort "builder for '\${builtins.unsafeDiscardStringContext failing.drvPath}' failed with exit code 3";
    }; };
  }`;
  const importing = { mirror: fleet.bare, commit: await commitFlake(flake) };
  const failureOf = async (host: string): Promise<EvaluationFailure | undefined> => {
    const event = await evaluate([host], importing, { allowImportFromDerivation: true });
    return event?.type === "failed" ? event.failure : undefined;
  };
  const log = "the end of the log of failing:\ncompile error in foo.c:12";
  for (const host of ["own", "needs"]) {
    expect(await failureOf(host)).toMatchObject({
      cause: "error",
      details: expect.stringContaining(log) as string,
    });
  }
  expect(await failureOf("download")).toMatchObject({
    cause: "infra",
    message:
      "download, which it imports from, cannot be built: cannot download: Could not resolve host: files.invalid",
  });
  expect(await failureOf("gone")).toMatchObject({ cause: "error" });
  const unlisted = flake.replace(
    "nixosConfigurations = {",
    "nixosConfigurations = import download; unused = {",
  );
  await expect(
    evaluator().listHosts(
      { ...importing, commit: await commitFlake(unlisted) },
      { ...options, allowImportFromDerivation: true },
      signal,
    ),
  ).rejects.toMatchObject({ kind: "unavailable", code: "INVENTORY_FAILED" });
  const claimed = await failureOf("claims");
  expect(claimed).toMatchObject({
    cause: "error",
    message: expect.stringContaining("evaluation aborted") as string,
  });
  expect(claimed?.details).not.toContain("compile error");
});

/** Processes of Nix that work with this test's store. */
async function evaluatorsLeft(): Promise<number[]> {
  const evaluators: number[] = [];
  for (const { pid } of readProcessTable()) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.startsWith("nix\u0000eval") && command.includes(store.directory)) evaluators.push(pid);
  }
  return evaluators;
}
