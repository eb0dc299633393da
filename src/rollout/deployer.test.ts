import { expect, test } from "vitest";
import { newOrderId } from "../deploy/ordering/compose-order.ts";
import type { Rollout } from "../protocol/rollout/rollout.ts";
import { commitNamed, createRolloutRig, hostNamed, pathOf, repo } from "../../test/support/rollout-rig.ts";
import { decodeStartRequest, encodeStartRequest } from "../protocol/rollout/start-request.ts";

const canary = hostNamed("testvm01");
const [web1, web2, db, nats] = ["web01", "web02", "db1", "nats01"].map(hostNamed);
const names = [canary, ...["web01", "web02", "db1", "nats01"].map(hostNamed)];
const fleet = [
  { host: canary, wave: 0 },
  { host: web1, role: "web", tier: "test" },
  { host: web2, role: "web", tier: "test" },
  { host: db, role: "db", tier: "prod" },
  { host: nats, serves: ["nats"], tier: "prod" },
];
const [first, second] = [commitNamed("a"), commitNamed("b")];
const isOver = ({ end }: Rollout): boolean => end !== undefined;
const signal = AbortSignal.timeout(120_000);
const statuses = ({ hosts }: Rollout): Record<string, string> =>
  Object.fromEntries([...hosts.values()].map(({ host, status }) => [host, status]));

const startFleet = (rules: object = {}) => createRolloutRig(fleet, rules);
const request = (fields: object = {}) => decodeStartRequest(encodeStartRequest({ by: "kai", ...fields }));

test("a green build of the branch reaches every host: canary first, one web host at a time, NATS last", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  rig.start({ automatic: true });
  const rollout = await rig.until(isOver);
  expect(rollout).toMatchObject({ trigger: "automatic", commit: first, end: { outcome: "completed" } });
  expect(rig.bus.orders.map(({ order }) => order.host)).toEqual([canary, web1, web2, db, nats]);
  for (const { host, running } of rig.bus.states.values()) expect(running.path).toBe(pathOf(host, first));
  expect(rig.notices.map(({ type }) => type)).toEqual(["started", "finished"]);
  // The same commit does not start again.
  await rig.sleep(3_600_000);
  expect(await rig.rollouts.rolloutIds(signal)).toHaveLength(1);
});

test("a canary that goes back halts the rollout, and nobody else is touched until people say so", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  rig.obey = ({ host }) =>
    host === canary
      ? { outcome: "rolled-back", code: "UNHEALTHY", detail: "gitea.service failed" }
      : undefined;
  rig.start({ automatic: true });
  const halted = await rig.until((rollout) => rollout.halted !== undefined);
  expect(halted.halted).toMatchObject({
    code: "HOSTS_FAILED",
    detail: expect.stringContaining("gitea.service failed"),
  });
  await rig.sleep(3_600_000);
  expect(rig.bus.orders).toHaveLength(1);
  expect(rig.notices.map(({ type }) => type)).toEqual(["started", "halted"]);

  const { id } = halted;
  const { sequence } = await rig.rollouts.readRollout(id, signal);
  const at = rig.now().toISOString();
  await rig.rollouts.appendRolloutEvent(
    { type: "aborted", rollout: id, repo, at, by: "kai" },
    sequence,
    signal,
  );
  const aborted = await rig.until(isOver);
  expect(aborted).toMatchObject({ end: { outcome: "aborted" }, aborted: { by: "kai" } });
  expect(rig.bus.orders).toHaveLength(1);
});

test("with onFailure rollback, what was changed goes back", async () => {
  await using rig = startFleet({ onFailure: "rollback" });
  await rig.build(first, names);
  rig.obey = ({ host, kind }) =>
    host === web1 && kind === "activate" ? { outcome: "rolled-back", code: "UNHEALTHY" } : undefined;
  rig.start({ automatic: true });
  const rollout = await rig.until(isOver);
  expect(rollout.end?.outcome).toBe("failed");
  expect(statuses(rollout)).toMatchObject({
    [canary]: "undone",
    [String(web1)]: "failed",
    [String(db)]: "waiting",
  });
  expect(rig.bus.orders.map(({ order }) => [order.host, order.kind])).toContainEqual([canary, "rollback"]);
});

test("a deployer that is killed twenty times comes to the same end, and orders nothing twice", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  rig.start({ automatic: true });
  for (let kill = 0; kill < 20; kill++) {
    await rig.sleep(1000 + ((kill * 7919) % 23_000));
    await rig.stop();
    rig.start({ automatic: true });
  }
  const rollout = await rig.until(isOver);
  expect(rollout.end?.outcome).toBe("completed");
  expect(rig.bus.orders.map(({ order }) => order.host)).toEqual([canary, web1, web2, db, nats]);
});

test("a host that was away for weeks is no obstacle, and gets only the newest when it is back", async () => {
  await using rig = startFleet();
  rig.goAway(hostNamed("db1"));
  await rig.sleep(600_000);
  rig.start({ automatic: true });
  for (const letter of ["a", "b", "c", "d", "e"]) {
    await rig.build(commitNamed(letter), names);
    const rollout = await rig.until((each) => each.commit === commitNamed(letter) && isOver(each));
    expect(rollout.end?.outcome).toBe("completed-with-absent");
    expect(statuses(rollout)).toMatchObject({ db1: "absent", web01: "done" });
  }
  rig.comeBack(hostNamed("db1"));
  const caught = await rig.until((rollout) => rollout.trigger === "returned" && isOver(rollout));
  expect(caught).toMatchObject({ commit: commitNamed("e"), end: { outcome: "completed" } });
  expect(rig.bus.orders.filter(({ order }) => order.host === db)).toHaveLength(1);
});

test("somebody who asks gets a plan, then a rollout of what he named; a second one waits, a third takes its place", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  rig.start();
  await rig.sleep(1000);
  const planned = await rig.rollouts.askForRollout(repo, request({ planOnly: true }), signal);
  expect(planned).toMatchObject({
    type: "plan",
    commit: first,
    waves: [
      { name: "canary" },
      { name: "test" },
      { name: "prod" },
      { name: "needed by others", oneByOne: true },
    ],
  });
  expect(await rig.rollouts.rolloutIds(signal)).toEqual([]);
  const ask = async (fields: object) => rig.rollouts.askForRollout(repo, request(fields), signal);
  const one = await ask({ hosts: [web1, db], reason: "the fair" });
  expect(one).toMatchObject({ type: "accepted" });
  await rig.sleep(2000);
  const two = await ask({ hosts: [web2] });
  expect(two).toMatchObject({ type: "accepted", waitsFor: expect.any(String) });
  await rig.sleep(10);
  await ask({ hosts: [canary] });
  await rig.until((rollout) => rollout.wanted.includes(canary) && isOver(rollout));
  const outcomes: string[] = [];
  for (const id of (await rig.rollouts.rolloutIds(signal)).toReversed()) {
    const { events } = await rig.rollouts.readRollout(id, signal);
    const last = events.at(-1);
    outcomes.push(last?.type === "finished" ? last.outcome : "open");
  }
  expect(outcomes).toEqual(["completed", "superseded", "completed"]);
  expect(rig.bus.orders.map(({ order }) => order.host)).toEqual([web1, db, canary]);
  expect(rig.bus.orders[0]?.order).toMatchObject({ by: "kai", reason: "the fair", rollout: { wave: 0 } });
});

test("what nobody stated, and another branch, is refused in words", async () => {
  await using rig = startFleet();
  rig.start();
  await rig.sleep(1000);
  expect(await rig.rollouts.askForRollout(repo, request(), signal)).toMatchObject({
    type: "refused",
    code: "BAD_STATEMENT",
    detail: expect.stringContaining("master"),
  });
});

test("a person who deploys by hand in the middle is not overrun", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  rig.start({ automatic: true });
  await rig.until(({ waves }) => waves[1]?.startedAt !== undefined);
  rig.change(hostNamed("db1"), {
    running: { path: pathOf("db1", second) },
    permanent: { path: pathOf("db1", second) },
  });
  const rollout = await rig.until(isOver);
  expect(rollout.end?.outcome).toBe("completed-with-absent");
  expect(statuses(rollout)).toMatchObject({ db1: "overtaken" });
  expect(rig.bus.orders.filter(({ order }) => order.host === db)).toEqual([]);
});

test.each([
  ["says nothing", { ok: false, code: "GATE_NO_DATA", detail: "no series" } as const, "GATE_NO_DATA"],
  ["says no", { ok: false, code: "GATE_FAILED", detail: "up is 0" } as const, "GATE_FAILED"],
])("a gate that %s halts before anything is ordered", async (_, answer, code) => {
  await using rig = startFleet({ gates: [{ kind: "http", name: "up", url: "http://gate.lan/" }] });
  await rig.build(first, names);
  rig.gate = () => answer;
  rig.start({ automatic: true });
  const rollout = await rig.until(({ halted }) => halted !== undefined);
  expect(rollout.halted?.code).toBe(code);
  expect(rig.bus.orders).toEqual([]);
});

test("a host of a role is not deployed while somebody deploys another one of that role by hand", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  const order = { id: newOrderId(rig.now()), serial: 1, phase: "activating" };
  rig.change(hostNamed("web01"), { order });
  rig.start({ automatic: true });
  await rig.until(({ waves }) => waves[1]?.startedAt !== undefined);
  await rig.sleep(120_000);
  expect(rig.bus.orders.map(({ order: { host } }) => host)).toEqual([canary]);
  rig.change(hostNamed("web01"), { order: undefined });
  const over = await rig.until(isOver);
  expect(over.end?.outcome).toBe("completed");
  expect(rig.bus.orders.map(({ order: { host } }) => host)).toEqual([canary, web1, web2, db, nats]);
});

test("whoever mends what a gate says no to, and resumes at once, is not halted by its old answer", async () => {
  await using rig = startFleet({ gates: [{ kind: "http", name: "up", url: "http://gate.lan/" }] });
  await rig.build(first, names);
  rig.gate = () => ({ ok: false, code: "GATE_FAILED", detail: "503" });
  rig.start({ automatic: true });
  const { id } = await rig.until(({ halted }) => halted !== undefined);
  rig.gate = () => ({ ok: true });
  const { sequence } = await rig.rollouts.readRollout(id, signal);
  const at = rig.now().toISOString();
  await rig.rollouts.appendRolloutEvent(
    { type: "resumed", rollout: id, repo, at, by: "kai" },
    sequence,
    signal,
  );
  const over = await rig.until((rollout) => isOver(rollout) || rollout.halted !== undefined);
  expect(over.halted?.detail).toBeUndefined();
  expect(over.end?.outcome).toBe("completed");
});

test("a gate that flaps while the canary soaks halts the rest", async () => {
  await using rig = startFleet({
    soakSeconds: 600,
    gates: [{ kind: "http", name: "up", url: "http://gate.lan/" }],
  });
  await rig.build(first, names);
  let asked = 0;
  rig.gate = () => (++asked === 6 ? { ok: false, code: "GATE_FAILED", detail: "503" } : { ok: true });
  rig.start({ automatic: true });
  await rig.until(({ halted }) => halted !== undefined);
  expect(rig.bus.orders.map(({ order }) => order.host)).toEqual([canary]);
});

test("an abort takes back what no host has begun", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  rig.obey = () => "silence";
  rig.start({ automatic: true });
  const running = await rig.until(({ hosts }) =>
    [...hosts.values()].some(({ status }) => status === "ordered"),
  );
  await rig.until(() => rig.bus.orders.length === 1);
  const { sequence } = await rig.rollouts.readRollout(running.id, signal);
  const about = { rollout: running.id, repo, at: rig.now().toISOString() };
  await rig.rollouts.appendRolloutEvent({ type: "aborted", ...about, by: "kai" }, sequence, signal);
  const rollout = await rig.until(isOver);
  expect(rollout.end?.outcome).toBe("aborted");
  const [order, withdrawal] = rig.bus.orders;
  expect(withdrawal?.order).toMatchObject({ kind: "withdraw", withdraws: order?.order.id, host: canary });
});

test("six hosts are rebooted one by one inside of the window", async () => {
  const six = ["a1", "a2", "a3", "a4", "a5", "a6"].map(hostNamed);
  await using rig = createRolloutRig(
    six.map((host) => ({ host, reboot: { needed: ["kernel"] } })),
    { reboots: "in-window", maxUnavailable: 1, windows: [{ start: "13:00", minutes: 60 }] },
  );
  await rig.build(first, six);
  rig.start({ automatic: true });
  const rollout = await rig.until(isOver);
  expect(rollout.end?.outcome).toBe("completed");
  const reboots = rig.bus.orders.filter(({ order }) => order.kind === "reboot");
  expect(reboots.map(({ order }) => order.host)).toEqual(six);
  for (const { order } of rig.bus.orders) expect(order.issuedAt.slice(11, 13)).toBe("13");
});

const append = async (
  rig: ReturnType<typeof createRolloutRig>,
  rollout: Rollout,
  body: { type: "resumed" | "paused" },
) => {
  const { sequence } = await rig.rollouts.readRollout(rollout.id, signal);
  const about = { rollout: rollout.id, repo, at: rig.now().toISOString(), by: "kai" };
  await rig.rollouts.appendRolloutEvent({ ...body, ...about }, sequence, signal);
};

test.each([
  ["is held", { hold: "not now" }, undefined],
  ["is away", {}, "away"],
])(
  "a first wave whose only host %s proves nothing, and halts until a person lets it go on",
  async (_, change, how) => {
    await using rig = startFleet();
    rig.change(canary, change);
    if (how === "away") {
      rig.goAway(canary);
      await rig.sleep(600_000);
    }
    await rig.build(first, names);
    rig.start({ automatic: true });
    const halted = await rig.until((rollout) => rollout.halted !== undefined);
    expect(halted.halted?.code).toBe("NO_CANARY");
    expect(rig.bus.orders).toEqual([]);
    await append(rig, halted, { type: "resumed" });
    const rollout = await rig.until(isOver);
    expect(rig.notices.map(({ type }) => type)).toEqual(["started", "halted", "finished"]);
    expect(statuses(rollout)).toMatchObject({ web01: "done", nats01: "done" });
  },
);

test("a host that takes no orders is asked three times, and then left out", async () => {
  await using rig = createRolloutRig([{ host: web1 }, { host: db }]);
  await rig.build(first, [hostNamed("web01"), hostNamed("db1")]);
  rig.obey = ({ host }) => (host === db ? "silence" : undefined);
  rig.start({ automatic: true });
  const rollout = await rig.until(isOver);
  expect(rollout.end?.outcome).toBe("completed-with-absent");
  const toDb = rig.bus.orders.filter(({ order }) => order.host === db && order.rollout?.id === rollout.id);
  expect(toDb).toHaveLength(3);
});

test("a system from which a host went back is not tried again by itself, and by a person is", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  rig.obey = ({ host }) => (host === canary ? { outcome: "rolled-back", code: "UNHEALTHY" } : undefined);
  rig.start({ automatic: true });
  const halted = await rig.until((rollout) => rollout.halted !== undefined);
  await append(rig, halted, { type: "resumed" });
  await rig.until(isOver);
  // A commit that changes no system: the same path of the canary.
  rig.obey = () => undefined;
  const before = rig.bus.orders.length;
  const asked = await rig.rollouts.askForRollout(repo, request({ hosts: [canary] }), signal);
  expect(asked).toMatchObject({ type: "accepted" });
  await rig.until((rollout) => rollout.trigger === "person" && isOver(rollout));
  expect(rig.bus.orders.slice(before).map(({ order }) => order.host)).toEqual([canary]);
});

test("what waits for a boot is no success, and gets its reboot where the policy says so", async () => {
  await using rig = createRolloutRig([{ host: web1 }]);
  await rig.build(first, [hostNamed("web01")]);
  rig.obey = () => "staged";
  rig.start({ automatic: true });
  const rollout = await rig.until(isOver);
  expect(rollout.end).toMatchObject({ outcome: "completed-with-absent", detail: "1 wait for a boot" });
});

test("somebody's rollout of one host is none of the fleet", async () => {
  await using rig = startFleet();
  await rig.build(first, names);
  rig.start();
  await rig.sleep(1000);
  await rig.rollouts.askForRollout(repo, request({ hosts: [web1] }), signal);
  await rig.until(isOver);
  await rig.stop();
  rig.start({ automatic: true });
  const rollout = await rig.until((each) => each.trigger === "automatic" && isOver(each));
  expect(rollout.end?.outcome).toBe("completed");
});

test("a commit that met nobody begins anew when somebody is back, and then is proven for the others", async () => {
  await using rig = createRolloutRig([{ host: web1 }, { host: web2 }]);
  const both = [hostNamed("web01"), hostNamed("web02")];
  for (const host of both) rig.goAway(host);
  await rig.sleep(600_000);
  await rig.build(first, both);
  rig.start({ automatic: true });
  const nobody = await rig.until(isOver);
  expect(nobody).toMatchObject({ trigger: "automatic", end: { outcome: "completed-with-absent" } });
  await rig.sleep(3_600_000);
  expect(await rig.rollouts.rolloutIds(AbortSignal.timeout(60_000))).toHaveLength(1);

  rig.comeBack(hostNamed("web01"));
  const begun = await rig.until((rollout) => rollout.id !== nobody.id && isOver(rollout));
  expect(begun).toMatchObject({ trigger: "automatic", end: { outcome: "completed-with-absent" } });
  expect(statuses(begun)).toEqual({ web01: "done", web02: "absent" });
  rig.comeBack(hostNamed("web02"));
  const returned = await rig.until((rollout) => rollout.trigger === "returned" && isOver(rollout));
  expect(returned).toMatchObject({ commit: first, end: { outcome: "completed" } });
});

test("where every canary is away, nobody else is ordered anything, and it says so", async () => {
  await using rig = startFleet();
  for (const host of names) rig.goAway(host);
  await rig.sleep(600_000);
  await rig.build(first, names);
  rig.start({ automatic: true });
  rig.comeBack(hostNamed("db1"));
  const halted = await rig.until((rollout) => rollout.halted !== undefined);
  expect(halted.halted).toMatchObject({ code: "NO_CANARY" });
  expect(rig.bus.orders).toEqual([]);
});

test("a rollout of more hosts than one may have is refused, and says so", async () => {
  await using rig = startFleet();
  for (let number = 0; number < 5000; number++) rig.change(hostNamed(`host${number}`), {});
  await rig.build(first, names);
  rig.start();
  await rig.sleep(1000);
  const answer = await rig.rollouts.askForRollout(repo, request(), AbortSignal.timeout(60_000));
  expect(answer).toMatchObject({ type: "refused", code: "TOO_MANY_HOSTS" });
});
