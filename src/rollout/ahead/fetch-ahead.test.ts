import { expect, test } from "vitest";
import { composeOrder, newOrderId } from "../../deploy/ordering/compose-order.ts";
import { HomelabError } from "../../base/errors.ts";
import { unverifiedOrder, type Order } from "../../protocol/deploy/order.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";
import { signOrder } from "../../signing/sign-envelope.ts";
import { someSigner } from "../../../test/support/deploy-orders.ts";
import {
  commitNamed,
  createRolloutRig,
  hostNamed,
  pathOf,
  repo,
  type RolloutRig,
} from "../../../test/support/rollout-rig.ts";

const canary = hostNamed("testvm01");
const web1 = hostNamed("web01");
const web2 = hostNamed("web02");
const db = hostNamed("db1");
const orderKinds = ["activate", "rollback", "reboot", "withdraw", "fetch"];
const fleet = [
  { host: canary, wave: 0, orderKinds },
  { host: web1, tier: "test", orderKinds },
  { host: web2, tier: "test", orderKinds },
  { host: db, tier: "prod", orderKinds },
];
const commit = commitNamed("a");
const isOver = ({ end }: Rollout): boolean => end !== undefined;
const soaks =
  (index: number) =>
  ({ waves }: Rollout): boolean =>
    waves[index]?.soak !== undefined;

const told = (rig: RolloutRig): readonly string[] =>
  rig.bus.orders.map(({ order: { host, kind } }) => `${kind} ${host}`);
const fetches = (rig: RolloutRig): readonly Order[] =>
  rig.bus.orders.map(({ order }) => order).filter(({ kind }) => kind === "fetch");

async function begin(rules: object = {}, hosts: readonly object[] = fleet): Promise<RolloutRig> {
  const rig = createRolloutRig(hosts, rules);
  await rig.build(
    commit,
    [...rig.bus.states.values()].map(({ host }) => host),
  );
  return rig;
}

async function say(rig: RolloutRig, body: { readonly type: "aborted" | "paused"; readonly by: string }) {
  const { id } = await rig.newest();
  const signal = AbortSignal.timeout(60_000);
  const { sequence } = await rig.rollouts.readRollout(id, signal);
  const at = rig.now().toISOString();
  await rig.rollouts.appendRolloutEvent({ ...body, rollout: id, repo, at }, sequence, signal);
}

test("each wave fetches while the one before it soaks, and nothing is activated by that", async () => {
  await using rig = await begin();
  rig.start({ automatic: true });
  await rig.until((rollout) => rollout.hosts.get(web2)?.ahead?.result !== undefined);
  for (const name of ["web01", "web02", "db1"]) {
    expect(rig.bus.states.get(`${repo}/${name}`)?.running.path).not.toBe(pathOf(name, commit));
  }
  const rollout = await rig.until(isOver);
  expect(rollout.end?.outcome).toBe("completed");
  expect(told(rig)).toEqual([
    "activate testvm01",
    "fetch web01",
    "fetch web02",
    "activate web01",
    "activate web02",
    "fetch db1",
    "activate db1",
  ]);
  for (const { host, path, rollout: of } of fetches(rig)) {
    expect({ path, of }).toMatchObject({ path: pathOf(host, commit), of: { id: rollout.id } });
  }
  expect([...rollout.hosts.values()].map(({ ahead }) => ahead?.result?.outcome)).toEqual([
    undefined,
    "fetched",
    "fetched",
    "fetched",
  ]);
});

async function secondsOf(rig: RolloutRig): Promise<number> {
  rig.start({ automatic: true });
  const { end, startedAt } = await rig.until(isOver);
  expect(end?.outcome).toBe("completed");
  return (Date.parse(end?.at ?? "") - Date.parse(startedAt ?? "")) / 1000;
}

test.each(["silence", "failed", "rejected", "superseded"] as const)(
  "a fetch that ends in %s neither fails the rollout nor delays it",
  async (outcome) => {
    await using without = await begin(
      {},
      fleet.map((host) => ({ ...host, orderKinds: [] })),
    );
    const usual = await secondsOf(without);
    expect(fetches(without)).toEqual([]);
    await using rig = await begin();
    rig.obey = ({ kind }) => (kind !== "fetch" ? undefined : outcome === "silence" ? outcome : { outcome });
    expect(await secondsOf(rig)).toBeLessThanOrEqual(usual + 1);
    expect(fetches(rig).map(({ host }) => host)).toEqual([web1, web2, db]);
  },
);

test.each<readonly [string, object]>([
  ["does not know such orders", { orderKinds: ["activate"] }],
  ["is held", { hold: "moving house" }],
  ["runs something that it did not when this was planned", { running: { path: pathOf("web01", "hand") } }],
  ["has another order", { order: { id: newOrderId(new Date()), serial: 1, phase: "activating" } }],
])("a host that %s is not told to fetch", async (_, change) => {
  await using rig = await begin();
  rig.start({ automatic: true });
  await rig.until(({ startedAt }) => startedAt !== undefined);
  rig.change(web1, change);
  await rig.until(soaks(0));
  await rig.sleep(40_000);
  expect(told(rig)).toEqual(["activate testvm01", "fetch web02"]);
});

test("nor is one that is away, nor one past a wave that waits for a person", async () => {
  const waves = [
    { name: "first", wave: 0 },
    { name: "second", tiers: ["test"], manual: true },
    { name: "third", tiers: ["prod"] },
  ];
  await using rig = await begin({ waves });
  rig.start({ automatic: true });
  await rig.until(({ paused }) => paused?.wave === 1);
  expect(told(rig)).toEqual(["activate testvm01"]);
});

test("an order that a host has still to read is not replaced by one that only fetches", async () => {
  await using rig = await begin();
  rig.obey = ({ by }) => (by === "mo" ? "silence" : undefined);
  rig.start({ automatic: true });
  await rig.until(({ startedAt }) => startedAt !== undefined);
  const address = { repo, host: web1 };
  const order = composeOrder(
    {
      kind: "reboot",
      action: "switch",
      path: pathOf("web01", "old"),
      reboot: true,
      allowDowngrade: false,
      allowDrift: false,
      by: "mo",
    },
    { address, id: newOrderId(rig.now()), now: rig.now(), running: undefined, serials: [] },
  );
  expect(
    await rig.bus.putOrder(address, signOrder(order, someSigner("mo")), 0, AbortSignal.timeout(1000)),
  ).toBe(true);
  const rollout = await rig.until(({ hosts }) => hosts.get(web1)?.ahead?.result !== undefined);
  expect(rollout.hosts.get(web1)?.ahead?.result).toMatchObject({ outcome: "not-taken" });
  expect(told(rig).filter((each) => each.endsWith("web01"))).toEqual(["reboot web01"]);
});

test("an abort takes back what is still to be fetched, and ends at once", async () => {
  await using rig = await begin();
  rig.obey = ({ kind, host }) => (kind === "fetch" && host === web1 ? "silence" : undefined);
  rig.start({ automatic: true });
  await rig.until(({ hosts }) => hosts.get(web2)?.ahead?.result !== undefined);
  const before = rig.now().getTime();
  await say(rig, { type: "aborted", by: "mo" });
  const rollout = await rig.until(isOver);
  expect(rollout.end?.outcome).toBe("aborted");
  expect(Date.parse(rollout.end?.at ?? "") - before).toBeLessThan(10_000);
  const [withdrawal] = rig.bus.orders.map(({ order }) => order).filter(({ kind }) => kind === "withdraw");
  expect(withdrawal).toMatchObject({ host: web1, withdraws: fetches(rig)[0]?.id });
  expect(told(rig).filter((each) => each.startsWith("withdraw"))).toEqual(["withdraw web01"]);
});

test("a rollout that is paused, or outside of its windows, tells nobody to fetch", async () => {
  await using rig = await begin({ soakSeconds: 600 });
  rig.obey = ({ kind }) => (kind === "fetch" ? "silence" : undefined);
  rig.start({ automatic: true });
  await rig.until(({ hosts }) => hosts.get(canary)?.status === "ordered");
  await say(rig, { type: "paused", by: "mo" });
  await rig.sleep(1_200_000);
  expect(told(rig)).toEqual(["activate testvm01"]);

  await using late = await begin({ soakSeconds: 600, windows: [{ start: "12:00", minutes: 1 }] });
  // The window closes while the canary is deployed.
  late.obey = () => undefined;
  await late.sleep(50_000);
  late.start({ automatic: true });
  await late.until(({ waves }) => waves[0]?.soakedAt !== undefined);
  expect(told(late)).toEqual(["activate testvm01"]);
});

test("so many fetch at a time, and each of them once, whoever dies in between", async () => {
  const many = Array.from({ length: 14 }, (_, index) => ({
    host: hostNamed(`host${index}`),
    tier: "test",
    orderKinds,
  }));
  await using rig = await begin({ soakSeconds: 600 }, [{ host: canary, wave: 0, orderKinds }, ...many]);
  let underWay = 0;
  let most = 0;
  rig.obey = ({ kind }) => {
    if (kind !== "fetch") return undefined;
    most = Math.max(most, ++underWay);
    void rig.sleep(10_000).then(() => underWay--);
    return undefined;
  };
  rig.start({ automatic: true });
  for (let kill = 0; kill < 12; kill++) {
    await rig.sleep(1000 + ((kill * 7919) % 13_000));
    await rig.stop();
    rig.start({ automatic: true });
  }
  expect((await rig.until(isOver)).end?.outcome).toBe("completed");
  expect(most).toBe(5);
  const hosts = fetches(rig).map(({ host }) => host);
  expect(new Set(hosts).size).toBe(hosts.length);
  expect(hosts.length).toBeGreaterThan(10);
});

test.each(["unavailable", "refused"] as const)(
  "a rollout continues without orders to fetch that cannot be stored (%s)",
  async (kind) => {
    await using rig = await begin();
    const { putOrder } = rig.bus;
    rig.bus.putOrder = async (address, envelope, after, signal) => {
      if (unverifiedOrder(envelope).kind === "fetch") throw new HomelabError(kind, "NATS says no");
      return putOrder(address, envelope, after, signal);
    };
    rig.start({ automatic: true });
    const rollout = await rig.until(isOver);
    expect(rollout.end?.outcome).toBe("completed");
    expect(fetches(rig)).toEqual([]);
    expect(rollout.hosts.get(web1)?.ahead?.result).toMatchObject({
      outcome: "not-taken",
      detail: "NATS says no",
    });
  },
);
