import { expect, test } from "vitest";
import { scriptDeployments } from "../../../test/support/deploy-events.ts";
import { createFakeDeployBus, someHostState } from "../../../test/support/fake-deploy-bus.ts";
import { silentLog } from "../../base/log.ts";
import type { Clock } from "../../base/clock.ts";
import type { DeployReader } from "../../bus/deploy-bus.ts";
import { runningHosts } from "../../fleet/running-hosts.ts";
import { createHostStates, keepUnchanged, type HostFacts } from "./host-states.ts";

const signal = AbortSignal.timeout(60_000);
const web01 = someHostState();

/** Sleeps end when the test says so. */
function rig(changes: Partial<DeployReader> = {}) {
  const bus = createFakeDeployBus([web01]);
  const sleeping: (() => void)[] = [];
  let time = 0;
  const clock: Clock = {
    now: () => new Date(time),
    monotonic: () => time,
    sleep: async () => new Promise<void>((resolve) => void sleeping.push(resolve)),
  };
  const told: HostFacts[] = [];
  const states = createHostStates(
    { deploy: { ...bus, ...changes }, clock, log: silentLog },
    (facts) => void told.push(facts),
    signal,
  );
  const pass = async (ms: number): Promise<void> => {
    time += ms;
    for (const wake of sleeping.splice(0)) wake();
    await new Promise((resolve) => void setImmediate(resolve));
  };
  return { bus, states, told, pass };
}

test("a host whose log has news is read alone, and again a little later", async () => {
  const read: string[] = [];
  const { states, told, pass } = rig({
    hostState: async ({ host }) => {
      read.push(host);
      return someHostState({ seq: read.length + 1 });
    },
  });
  await states.read();
  expect(told.at(-1)?.states.map(({ seq }) => seq)).toEqual([1]);
  for (let index = 0; index < 5; index++) states.changed(web01);
  // What came within a moment is one reading.
  await pass(10);
  await pass(200);
  expect(read).toEqual(["web01"]);
  expect(told.at(-1)?.states.map(({ seq }) => seq)).toEqual([2]);
});

test("a state that was read alone is not replaced by an older one", async () => {
  const { bus, states, told, pass } = rig();
  await states.read();
  bus.states.set("nixos-servers/web01", someHostState({ at: "2026-11-29T12:05:00.000Z", seq: 9 }));
  states.changed(web01);
  await pass(10);
  await pass(200);
  bus.states.set("nixos-servers/web01", web01);
  await states.read();
  expect(told.at(-1)?.states.map(({ seq }) => seq)).toEqual([9]);
});

test("a log is read once for many who look, and again after news or when it failed", async () => {
  let readings = 0;
  let fails = false;
  const { events } = scriptDeployments().add("received");
  const { states } = rig({
    readDeployEvents: async () => {
      readings++;
      if (fails) throw new Error("NATS is away");
      return events;
    },
  });
  const [a, b] = await Promise.all([states.deployments(web01, signal), states.deployments(web01, signal)]);
  expect([a.length, b.length, readings]).toEqual([1, 1, 1]);
  states.changed(web01);
  await states.deployments(web01, signal);
  expect(readings).toBe(2);
  states.doubt();
  fails = true;
  await expect(states.deployments(web01, signal)).rejects.toThrow("NATS is away");
  fails = false;
  expect(await states.deployments(web01, signal)).toHaveLength(1);
});

test("whoever does not wait any more does not end the reading of others", async () => {
  const { promise, resolve } = Promise.withResolvers<never[]>();
  const { states } = rig({ readDeployEvents: async () => promise });
  const left = new AbortController();
  const first = states.deployments(web01, left.signal);
  const second = states.deployments(web01, signal);
  left.abort(new Error("left"));
  await expect(first).rejects.toThrow("left");
  resolve([]);
  expect(await second).toEqual([]);
});

test("a host of which nothing changed stays the same object", () => {
  const now = new Date("2026-11-29T12:01:00.000Z");
  const of = (...states: (typeof web01)[]) =>
    runningHosts({ rows: [], states, builds: [], holdOf: () => undefined }, now);
  const before = of(someHostState(), someHostState({ host: "nas" }));
  const after = keepUnchanged(before, of(someHostState(), someHostState({ host: "nas", seq: 2 })));
  expect(after.map((host, index) => [host.host, host === before.at(index)])).toEqual([
    ["nas", false],
    ["web01", true],
  ]);
});
