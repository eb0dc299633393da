import { expect, test } from "vitest";
import { createChoices } from "../../test/support/random-choices.ts";
import { signedOrder, somePolicy, somePath } from "../../test/support/deploy-orders.ts";
import { createSimulatedHost, type SimulatedClosure } from "../../test/support/simulated-host.ts";
import type { DeployEventOf } from "../protocol/deploy/deploy-events.ts";
import { parseHostName, parseRepoName } from "../protocol/names.ts";

const [a, b, c] = [somePath("old"), somePath("new"), somePath("other")];
const policy = somePolicy();
const units = ["nginx.service"];

function createHost(next: Partial<SimulatedClosure> = {}, ofHost: object = {}) {
  const own = { ...policy, ...ofHost };
  return createSimulatedHost({
    repo: parseRepoName("nixos-servers"),
    host: parseHostName("web01"),
    closures: [
      { path: a, policy: own, units },
      { path: b, policy: own, units, ...next },
      { path: c, policy: own, units },
    ],
    initial: a,
  });
}
type Host = ReturnType<typeof createHost>;

const fetchOf = (path = b) => ({ order: { kind: "fetch", path }, statement: { path } });

function put(host: Host, changes: { readonly order?: object; readonly statement?: object } = {}) {
  const { order, envelope } = signedOrder({ ...changes, now: host.clock.now() });
  host.put(envelope);
  return order;
}

async function give(host: Host, changes: Parameters<typeof put>[1] = {}): Promise<DeployEventOf<"finished">> {
  put(host, changes);
  await host.settle();
  const end = endsOf(host).at(-1);
  if (end?.type !== "finished") throw new Error("it has no end");
  return end;
}

const endsOf = ({ lines }: Host) =>
  lines.map(({ event }) => event).filter((event) => event.type === "finished" || event.type === "rejected");
const typesOf = ({ lines }: Host): readonly string[] => lines.map(({ event }) => event.type);
/** Whatever changes a machine. */
const changesOf = ({ log }: Host): readonly string[] =>
  log.filter((line) => /^(?:test|boot|profile|activating|ready|persisting)/.test(line));
const asBefore = { running: a, etc: a, permanent: a, bootDefault: a };

test("an order to fetch brings the closure, holds it by a root, and changes nothing", async () => {
  const host = createHost();
  const order = put(host, fetchOf());
  await host.settle();
  expect(typesOf(host)).toEqual(["received", "fetching", "fetched", "finished"]);
  expect(endsOf(host)).toMatchObject([{ outcome: "fetched", order: order.id }]);
  expect(changesOf(host)).toEqual([]);
  expect(host.state()).toMatchObject(asBefore);
  expect(host.roots()).toEqual([order.id]);
  // What the host did last is what it was last to become.
  expect(host.memory()).toMatchObject({ last: undefined, serial: order.serial, completed: [] });
});

test("the order that it was for comes after it and is carried out as ever", async () => {
  const host = createHost();
  await give(host, fetchOf());
  expect(await give(host)).toMatchObject({ outcome: "completed" });
  expect(host.state()).toMatchObject({ running: b, permanent: b });
});

test("a closure that cannot be had is said so, and the host deploys on", async () => {
  const host = createHost({ fetch: "NOT_CACHED" });
  expect(await give(host, fetchOf())).toMatchObject({ outcome: "failed", code: "NOT_CACHED" });
  expect(await give(host, { order: { path: c }, statement: { path: c } })).toMatchObject({
    outcome: "completed",
  });
});

/** The second order comes while the first one has said this. */
async function giveDuring(host: Host, first: object, said: string, second: (first: string) => object) {
  const { id } = put(host, first);
  const { sleep } = host.clock;
  let isPut = false;
  host.clock.sleep = async (ms, signal) => {
    if (!isPut && host.log.includes(said)) {
      isPut = true;
      put(host, second(id));
    }
    return sleep(ms, signal);
  };
  await host.settle();
  expect(isPut).toBe(true);
  return endsOf(host);
}
const takeBack = (withdraws: string) => ({
  order: { kind: "withdraw", withdraws, statementHash: undefined, path: a },
});

test("the order that counts does not wait for the end of a fetch", async () => {
  const host = createHost();
  const ends = await giveDuring(host, fetchOf(), "fetching", () => ({}));
  expect(ends).toMatchObject([{ outcome: "superseded" }, { outcome: "completed" }]);
  expect(host.state()).toMatchObject({ running: b, permanent: b });
});

test("a newer fetch takes the place of one that is under way", async () => {
  const host = createHost();
  const ends = await giveDuring(host, fetchOf(b), "fetching", () => fetchOf(c));
  expect(ends).toMatchObject([{ outcome: "superseded" }, { outcome: "fetched" }]);
  expect(changesOf(host)).toEqual([]);
});

test("a fetch is taken back while it runs, and also when it is over", async () => {
  const host = createHost();
  const ends = await giveDuring(host, fetchOf(), "fetching", takeBack);
  expect(ends).toMatchObject([
    { outcome: "superseded", detail: "kai took it back" },
    { outcome: "completed" },
  ]);
  const { order: fetched } = await give(host, fetchOf());
  expect(await give(host, takeBack(String(fetched)))).toMatchObject({ outcome: "completed" });
  expect(changesOf(host)).toEqual([]);
});

test.each(["fetching", "activating", "checking"])(
  "a deployment that is %s is not disturbed by a fetch, which is then too late",
  async (said) => {
    const host = createHost();
    const ends = await giveDuring(host, {}, said, () => fetchOf(c));
    expect(ends).toMatchObject([{ outcome: "completed" }, { type: "rejected", code: "CHANGED_MEANWHILE" }]);
    expect(host.state()).toMatchObject({ running: b, permanent: b });
  },
);

test("what waits for its boot goes on waiting", async () => {
  const host = createHost();
  put(host, { order: { action: "boot" } });
  await host.settle();
  put(host, fetchOf(c));
  await host.settle();
  expect(endsOf(host)).toMatchObject([{ type: "rejected", code: "BUSY" }]);
  expect(host.memory().current).toMatchObject({ phase: "staged" });
  host.boot();
  await host.settle();
  expect(endsOf(host).at(-1)).toMatchObject({ outcome: "completed" });
});

test("what was fetched for later stays until another order comes, however short closures are kept", async () => {
  const host = createHost({}, { keepDays: 0 });
  const { order } = await give(host, fetchOf());
  await host.clock.sleep(30 * 86_400_000);
  host.refuse({ code: "BAD_SIGNATURE", detail: "a while later" });
  await host.settle();
  expect(host.roots()).toEqual([order]);
  await give(host);
  expect(host.roots()).toEqual([]);
});

test.each(["kill", "power-cut"] as const)("a %s at any line comes to the same end", async (kind) => {
  for (let afterLines = 1; afterLines <= 4; afterLines++) {
    const host = createHost();
    host.strikeAt({ kind, afterLines, inSwitch: false });
    expect(await give(host, fetchOf()), String(afterLines)).toMatchObject({ outcome: "fetched" });
    expect(endsOf(host)).toHaveLength(1);
    expect(changesOf(host).filter((line) => !line.startsWith("boot "))).toEqual([]);
    expect(host.state()).toMatchObject(asBefore);
    expect(await give(host)).toMatchObject({ outcome: "completed" });
  }
});

test("one that was cut short and is too old is not begun again; one that only has to be said is", async () => {
  for (const [afterLines, outcome] of [
    [2, "expired"],
    [3, "fetched"],
  ] as const) {
    const host = createHost();
    host.strikeAt({ kind: "kill", afterLines, inSwitch: false });
    put(host, fetchOf());
    const { now } = host.clock;
    const isCut = (): boolean => host.log.includes("kill");
    host.clock.now = () => new Date(now().getTime() + (isCut() ? 3_600_000 : 0));
    await host.settle();
    expect(endsOf(host)).toMatchObject([{ outcome }]);
  }
});

test("in any history, only orders to activate change the machine", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const choices = createChoices(seed);
    const host = createHost(choices.chance(0.1) ? { fetch: "NO_SPACE" } : {});
    const fetches = new Set<string>();
    for (let count = choices.count(1, 6); count > 0; count--) {
      const path = choices.pick([b, c]);
      const running = { running: host.state().running };
      const kind = choices.chance(0.7) ? "fetch" : "activate";
      const { id } = put(host, { order: { kind, path, expects: running }, statement: { path } });
      if (kind === "fetch") fetches.add(id);
      if (choices.chance(0.5)) {
        const strike = choices.pick(["kill", "power-cut"] as const);
        host.strikeAt({ kind: strike, afterLines: host.lines.length + choices.count(1, 8), inSwitch: false });
      }
      const before = host.state();
      await host.settle();
      const { generations, running: now, permanent } = kind === "fetch" ? host.state() : before;
      expect({ generations, now, permanent }, `seed ${seed}`).toEqual({
        generations: before.generations,
        now: before.running,
        permanent: before.permanent,
      });
    }
    const ofFetches = host.lines.filter(({ event }) => fetches.has(String(event.order)));
    const types = new Set(ofFetches.map(({ event }) => event.type));
    for (const type of types)
      expect(["received", "rejected", "fetching", "fetched", "finished"]).toContain(type);
    expect(host.memory().current, `seed ${seed}`).toBeUndefined();
  }
});
