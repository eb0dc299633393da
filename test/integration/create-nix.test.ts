import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createNix, type InstalledNix } from "../../src/nix/create-nix.ts";
import type { FlakeSource, HostEvaluation } from "../../src/nix/evaluator.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { type HostName, parseHostName } from "../../src/protocol/names.ts";
import { createFleet } from "../support/fleet.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";

const evaluation = { timeoutMs: 60_000, maxMemoryBytes: 2 ** 30, allowImportFromDerivation: false };
const limits = { timeoutSeconds: 60, silenceSeconds: 60, maxJobs: 2, cores: 1 };
const signal = AbortSignal.timeout(120_000);
const hosts = ["host01", "host02"].map(parseHostName);

let store: ThrowAwayStore;
let nix: InstalledNix;
beforeAll(async () => {
  store = await createThrowAwayStore();
  nix = await createNix(
    {
      exec: createExec(),
      environment: store.environment,
      stateDirectory: join(store.directory, "ours"),
      clock: systemClock,
      log: silentLog,
    },
    signal,
  );
});
afterAll(async () => store.remove());

test("the Nix of this machine says what it is", () => {
  expect(nix.version).toMatch(/^\d+\.\d+/);
  expect(nix.systems).toContain(nix.system);
  expect([nix.storeDirectory, nix.stateDirectory]).toEqual([store.storeDirectory, store.stateDirectory]);
});

test("a fleet goes from its commit to valid outputs, and a host that fails to its cause", async () => {
  const fleet = await createFleet(store.directory);
  const commit = await fleet.commit({ hosts: 2, buildFail: { host02: "exit1" } });
  const source: FlakeSource = { mirror: fleet.bare, commit };
  expect(await nix.listHosts(source, evaluation, signal)).toEqual(hosts);

  const evaluated = new Map<HostName, HostEvaluation>();
  for await (const event of nix.evaluate(source, hosts, evaluation, signal))
    if (event.type === "evaluated") evaluated.set(event.host, event.evaluation);
  const [good, bad] = hosts.map((host) => evaluated.get(host)).filter((host) => host !== undefined);
  expect([...evaluated.keys()]).toEqual(hosts);
  if (good === undefined || bad === undefined) return;

  expect((await nix.unbuilt(good.drvPath)).size).toBe(5);
  const tops = [good.drvPath, bad.drvPath];
  const result = await nix.realise(tops, limits, () => undefined, signal);
  expect(await nix.validPaths([good.outPath, bad.outPath], signal)).toEqual(new Set([good.outPath]));
  expect(await nix.unbuilt(good.drvPath)).toEqual(new Set());

  const { causes, brokenBy } = await nix.findFailures(tops, result, limits, signal);
  expect(brokenBy).toEqual(new Map([[bad.drvPath, [bad.drvPath]]]));
  expect(causes.get(bad.drvPath)).toMatchObject({
    kind: "failed",
    reason: "builder failed with exit code 1",
  });

  let log = "";
  await nix.readLog(bad.drvPath, (chunk) => void (log += Buffer.from(chunk).toString()), signal);
  expect(log).toContain("E: compile error in foo.c:12");
});
