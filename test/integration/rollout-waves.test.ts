// Twelve hosts in four waves on a real NATS server, with a deployer that is left alone, and with one that is killed twenty
// times: the order of things is the same.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { HostState } from "../../src/protocol/deploy/host-state.ts";
import type { RolloutEvent } from "../../src/protocol/rollout/rollout-events.ts";
import { foldRollout, type Rollout } from "../../src/protocol/rollout/rollout.ts";
import { parseHostName } from "../../src/protocol/names.ts";
import { goodDeployment } from "../support/deploy-events.ts";
import { pathOf, startPlayedFleet, type PlayedFleet } from "../support/played-fleet.ts";

const hosts: Readonly<Record<string, Partial<HostState>>> = {
  canary1: { wave: 0 },
  canary2: { wave: 0, role: "web" },
  canary3: { wave: 0, role: "db" },
  test1: { tier: "test", role: "web" },
  test2: { tier: "test", role: "web" },
  test3: { tier: "test" },
  prod1: { tier: "prod", role: "web" },
  prod2: { tier: "prod", role: "web" },
  prod3: { tier: "prod", role: "db" },
  prod4: { tier: "prod", role: "db" },
  nats1: { tier: "prod", serves: ["nats"] },
  dns1: { tier: "test", serves: ["dns"] },
};
const names = Object.keys(hosts);
const patienceMs = 600_000;

async function start(rules: object): Promise<PlayedFleet> {
  const fleet = await startPlayedFleet({ hosts, rules: { automatic: true, soakSeconds: 2, ...rules } });
  onTestFinished(() => fleet[Symbol.asyncDispose](), patienceMs);
  for (const host of fleet.hosts.values()) host.delayMs = 200;
  await fleet.build("a");
  return fleet;
}

async function read({
  operator,
}: PlayedFleet): Promise<{ rollout?: Rollout; events: readonly RolloutEvent[] }> {
  const signal = AbortSignal.timeout(60_000);
  const ids = await operator.rolloutIds(signal);
  const [id] = ids;
  expect(ids.length).toBeLessThanOrEqual(1);
  if (id === undefined) return { events: [] };
  const { events } = await operator.readRollout(id, signal);
  return { rollout: foldRollout(events), events };
}

/** What must never be true of an order at the moment when it is told, in words. */
function faultsOf(events: readonly RolloutEvent[], most: number): readonly string[] {
  const faults: string[] = [];
  const working = new Set<string>();
  let last = 0;
  for (const [index, event] of events.entries()) {
    if (event.type === "ended") for (const { host } of event.results) working.delete(host);
    if (event.type !== "ordered") continue;
    const rollout = foldRollout(events.slice(0, index));
    for (const { host } of event.orders) {
      const { wave = -1, role, isNeeded } = rollout?.hosts.get(host) ?? {};
      if (wave < last) faults.push(`${host} is of an earlier wave`);
      last = wave;
      const roles = [...working].map((other) => hosts[other]?.role);
      if (role !== undefined && roles.includes(role)) faults.push(`${host} beside another ${role}`);
      if (isNeeded === true && working.size > 0) faults.push(`${host} is not alone`);
      working.add(host);
      if (working.size > most) faults.push(`${working.size} at a time`);
    }
  }
  return faults;
}

/** Everybody runs it, by one order each. */
const done = {
  outcome: "completed",
  waves: ["canary", "test", "prod", "needed by others"],
  hosts: Object.fromEntries(names.map((name) => [name, { path: pathOf(name, "a"), seen: ["activate"] }])),
};

async function endOf(fleet: PlayedFleet): Promise<object> {
  await expect
    .poll(async () => (await read(fleet)).rollout?.end?.outcome, { timeout: patienceMs, interval: 300 })
    .toBeDefined();
  const { rollout } = await read(fleet);
  const hostOf = (name: string) => {
    const { state, seen } = fleet.host(name);
    return {
      path: state().running.path,
      seen: seen.map((each) => (typeof each === "string" ? each : each.kind)),
    };
  };
  return {
    outcome: rollout?.end?.outcome,
    waves: rollout?.waves.map(({ name }) => name),
    hosts: Object.fromEntries(names.map((name) => [name, hostOf(name)])),
  };
}

test(
  "twelve hosts in four waves: as planned, never two of one role, and what others need last",
  { timeout: patienceMs },
  async () => {
    const fleet = await start({});
    await fleet.startDeployer();
    expect(await endOf(fleet)).toEqual(done);
    expect(faultsOf((await read(fleet)).events, 5)).toEqual([]);
  },
);

test(
  "the deployer is killed twenty times in one rollout: it comes to the same end",
  { timeout: patienceMs },
  async () => {
    const fleet = await start({ maxUnavailable: 1 });
    const isOver = async (): Promise<boolean> => (await read(fleet)).rollout?.end !== undefined;
    const countStarts = (): number => fleet.deployerLog().split("hosts obey this deployer").length - 1;
    let kills = 0;
    for (; !(await isOver()); kills++) {
      await fleet.startDeployer();
      await expect.poll(countStarts, { timeout: 120_000 }).toBe(kills + 1);
      if (kills === 20) break;
      await sleep((kills * 379) % 900);
      await fleet.killDeployer();
    }
    expect(kills).toBe(20);
    expect(await endOf(fleet)).toEqual(done);
    expect(faultsOf((await read(fleet)).events, 1)).toEqual([]);
  },
);

/** Each event of the rollout that matters here, in a word. */
const stepsOf = (events: readonly RolloutEvent[]): readonly string[] =>
  events.flatMap((event) => {
    if (event.type === "soaking" || event.type === "soaked") return [`${event.type} ${event.wave}`];
    if (event.type === "ordered") return event.orders.map(({ host }) => `ordered ${host}`);
    return event.type === "fetch-ordered" ? event.orders.map(({ host }) => `fetch ${host}`) : [];
  });

test(
  "hosts that can fetch the next wave's systems while the one before it soaks, and nothing is activated by that",
  { timeout: patienceMs },
  async () => {
    const old = new Set(["test3", "prod1"]);
    const orderKinds = ["activate", "rollback", "reboot", "withdraw", "fetch"];
    const fleet = await startPlayedFleet({
      hosts: Object.fromEntries(
        Object.entries(hosts).map(([name, state]) => [
          name,
          { ...state, orderKinds: old.has(name) ? [] : orderKinds },
        ]),
      ),
      rules: { automatic: true, soakSeconds: 8, maxUnavailable: 2 },
    });
    onTestFinished(() => fleet[Symbol.asyncDispose](), patienceMs);
    const runAtFetch: string[] = [];
    for (const [name, host] of fleet.hosts) {
      host.delayMs = 100;
      host.play = (script, order) => {
        if (order.kind !== "fetch") return goodDeployment(script);
        runAtFetch.push(`${name} ${host.state().running.path === pathOf(name, "a") ? "new" : "old"}`);
        const { kind, path, serial } = order;
        // One of them cannot: nobody waits for it.
        return name === "prod3"
          ? script
              .add("received", { kind, path, serial })
              .add("finished", { outcome: "failed", code: "NOT_CACHED" })
          : script
              .add("received", { kind, path, serial })
              .add("fetching")
              .add("fetched")
              .add("finished", { outcome: "fetched" });
      };
    }
    await fleet.build("a");
    await fleet.startDeployer();
    const end = (await endOf(fleet)) as typeof done;
    expect(end.outcome).toBe("completed");
    const ahead = names.filter((name) => !name.startsWith("canary") && !old.has(name));
    for (const name of names) {
      const seen = ahead.includes(name) ? ["fetch", "activate"] : ["activate"];
      expect(end.hosts[name], name).toEqual({ path: pathOf(name, "a"), seen });
    }
    expect(runAtFetch.toSorted()).toEqual(ahead.map((name) => `${name} old`).toSorted());

    // Each is told in the soak of the wave before its own.
    const { events, rollout } = await read(fleet);
    const steps = stepsOf(events);
    for (const name of ahead) {
      const wave = rollout?.hosts.get(parseHostName(name))?.wave ?? -1;
      const at = steps.indexOf(`fetch ${name}`);
      expect(at, name).toBeGreaterThan(steps.indexOf(`soaking ${wave - 1}`));
      expect(at, name).toBeLessThan(steps.indexOf(`soaked ${wave - 1}`));
    }
    expect(rollout?.hosts.get(parseHostName("prod3"))?.ahead?.result).toMatchObject({ outcome: "failed" });
    expect(faultsOf(events, 2)).toEqual([]);
    const shown = await fleet.run("rollouts", "show", "last");
    expect(shown, shown.stderr).toMatchObject({ exitCode: 0 });
  },
);
