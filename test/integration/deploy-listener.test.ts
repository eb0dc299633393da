// The listener of a host on a real server: what it hands over, refuses, publishes and confirms.
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { createDeployBus } from "../../src/bus/deploy/create-deploy-bus.ts";
import { createListenerBus } from "../../src/bus/deploy/create-listener-bus.ts";
import type { DeployBus } from "../../src/bus/deploy-bus.ts";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { openManager } from "../../src/bus/jetstream-api.ts";
import { orderSubject } from "../../src/protocol/subjects.ts";
import { startListener, type ListenerRig } from "../support/listener-rig.ts";
import { test } from "../support/nats-roles.ts";
import { signedOrder, somePath, type OrderChanges } from "../support/deploy-orders.ts";
import { testHosts } from "../support/start-roles-server.ts";

const web1 = testHosts.listener;
const signal = (): AbortSignal => AbortSignal.timeout(60_000);
const poll = { timeout: 60_000 };

let serial = Date.now();
const anOrder = (more: OrderChanges = {}) =>
  signedOrder({
    now: new Date(),
    ...more,
    order: { ...web1, serial: ++serial, ...more.order },
    statement: { ...web1, ...more.statement },
  });

/** As if nothing had ever been ordered. */
async function emptied(admin: Connection, ...names: readonly string[]): Promise<void> {
  const manager = await openManager(admin);
  for (const name of names) {
    const { config } = await manager.streams.info(name);
    await manager.streams.delete(name);
    await manager.streams.add(config);
  }
}

async function put(bus: DeployBus, envelope: Uint8Array): Promise<void> {
  const newest = await bus.newestOrder(web1, signal());
  expect(await bus.putOrder(web1, envelope, newest?.sequence ?? 0, signal())).toBe(true);
}

const requestsOf = ({ activator }: ListenerRig, type: string): readonly unknown[] =>
  activator.requests.filter((request) => request.type === type);

test("an order is handed over once, and what the host does with it is on NATS", async ({ as }) => {
  await emptied(await as("admin"), "DEPLOY_ORDERS", "DEPLOY_EVENTS");
  const operator = createDeployBus(await as("operator"));
  await using rig = await startListener({
    address: web1,
    connection: await as("listener", { role: "daemon" }),
  });
  const { order, envelope } = anOrder();
  await put(operator, envelope);
  await expect.poll(() => rig.activator.orders.map(({ id }) => id), poll).toEqual([order.id]);
  await rig.activator.announce({ type: "fetching", order: order.id, bytes: 1, paths: 1 });
  await expect
    .poll(async () => (await operator.readDeployEvents(web1, 0, signal())).map(({ type }) => type), poll)
    .toEqual(["received", "fetching"]);
  await expect
    .poll(async () => (await operator.hostState(web1, signal()))?.order, poll)
    .toEqual({ id: order.id, serial: order.serial, phase: "fetching" });
  expect(requestsOf(rig, "network").length).toBeGreaterThan(0);

  // Also after a restart: the same order is one that this host has taken.
  await rig.restart(await as("listener", { role: "daemon" }));
  await rig.activator.announce({ type: "finished", order: order.id, outcome: "completed", ms: 1 });
  await expect
    .poll(async () => (await operator.hostState(web1, signal()))?.last?.outcome, poll)
    .toBe("completed");
  const events = await operator.readDeployEvents(web1, 0, signal());
  expect(events.map(({ index, type }) => `${index} ${type}`)).toEqual([
    "0 received",
    "1 fetching",
    "2 finished",
  ]);
  expect(rig.activator.orders).toHaveLength(1);
});

test("while the activator is away, only the newest order waits", async ({ as }) => {
  await emptied(await as("admin"), "DEPLOY_ORDERS", "DEPLOY_EVENTS");
  const operator = createDeployBus(await as("operator"));
  await using rig = await startListener({
    address: web1,
    connection: await as("listener", { role: "daemon" }),
  });
  rig.activator.isAway = true;
  await put(operator, anOrder().envelope);
  await expect.poll(() => rig.activator.attempts, poll).toBeGreaterThanOrEqual(2);
  const newest = anOrder();
  await put(operator, newest.envelope);
  rig.activator.isAway = false;
  await expect.poll(() => rig.activator.orders.map(({ id }) => id), poll).toEqual([newest.order.id]);
});

test("what is not in order is refused once, also after a restart, and counted again when it is sent again", async ({
  as,
}) => {
  await emptied(await as("admin"), "DEPLOY_ORDERS", "DEPLOY_EVENTS");
  const operator = createDeployBus(await as("operator"));
  await using rig = await startListener({
    address: web1,
    connection: await as("listener", { role: "daemon" }),
  });
  const refusals = (): unknown[] =>
    rig.activator.requests.flatMap((request) => (request.type === "refused" ? [request.code] : []));
  await put(operator, new TextEncoder().encode("not an order"));
  await expect.poll(refusals, poll).toEqual(["BAD_ORDER"]);
  await rig.restart(await as("listener", { role: "daemon" }));
  const wrongHost = anOrder({ order: { host: "db1" }, statement: { host: "db1" } });
  await put(operator, wrongHost.envelope);
  await expect.poll(refusals, poll).toEqual(["BAD_ORDER", "WRONG_HOST"]);
  await put(operator, wrongHost.envelope);
  await expect.poll(refusals, poll).toEqual(["BAD_ORDER", "WRONG_HOST", "WRONG_HOST"]);
  expect(rig.activator.orders).toEqual([]);
  const events = await operator.readDeployEvents(web1, 0, signal());
  expect(events.at(-1)).toMatchObject({ type: "rejected", code: "WRONG_HOST", order: wrongHost.order.id });
});

test("orders of before do nothing: published again, after a restart, and in an emptied stream", async ({
  as,
}) => {
  await emptied(await as("admin"), "DEPLOY_ORDERS", "DEPLOY_EVENTS");
  const operator = createDeployBus(await as("operator"));
  await using rig = await startListener({
    address: web1,
    connection: await as("listener", { role: "daemon" }),
  });
  const orders = [anOrder(), anOrder(), anOrder()];
  for (const { order, envelope } of orders) {
    await put(operator, envelope);
    await expect.poll(() => rig.activator.orders.at(-1)?.id, poll).toBe(order.id);
    await rig.activator.announce({ type: "finished", order: order.id, outcome: "failed", ms: 1 });
  }
  const [first, second] = orders;
  await emptied(await as("admin"), "DEPLOY_ORDERS");
  for (const old of [second, first]) {
    await put(operator, old?.envelope ?? new Uint8Array());
    const before = requestsOf(rig, "refused").length;
    await expect.poll(() => requestsOf(rig, "refused").length, poll).toBeGreaterThan(before);
    expect(requestsOf(rig, "refused").at(-1)).toMatchObject({ code: "REPLAYED" });
    await rig.restart(await as("listener", { role: "daemon" }));
  }
  expect(rig.activator.orders).toHaveLength(3);
});

test("a live message alone makes a host look, and nothing more", async ({ as }) => {
  await emptied(await as("admin"), "DEPLOY_ORDERS", "DEPLOY_EVENTS");
  const dashboard = await as("dashboard");
  await using rig = await startListener({
    address: web1,
    connection: await as("listener", { role: "daemon" }),
  });
  const { envelope } = anOrder();
  // Any client can have the server answer there: this is as close as one comes to forging it.
  dashboard.nats.publish("$JS.API.DIRECT.GET.KV_hosts", JSON.stringify({ seq: 1 }), {
    reply: `live.${orderSubject(web1)}`,
  });
  await dashboard.nats.flush();
  const operator = createDeployBus(await as("operator"));
  await put(operator, envelope);
  await expect.poll(() => rig.activator.orders.length, poll).toBe(1);
});

test("the new system is confirmed over a connection of its own, and only once it has passed its checks", async ({
  as,
}) => {
  await emptied(await as("admin"), "DEPLOY_ORDERS", "DEPLOY_EVENTS");
  const operator = createDeployBus(await as("operator"));
  let opened = 0;
  let mayOpen = false;
  await using rig = await startListener({
    address: web1,
    connection: await as("listener", { role: "daemon" }),
    async connectAnew() {
      opened++;
      if (!mayOpen) throw Object.assign(new Error("connect"), { syscall: "connect", code: "ECONNREFUSED" });
      return as("listener");
    },
  });
  const { order, envelope } = anOrder();
  await put(operator, envelope);
  await expect.poll(() => rig.activator.orders.length, poll).toBe(1);
  await rig.activator.announce({ type: "activating", order: order.id, epoch: 7, from: somePath("old") });
  await rig.activator.announce({ type: "activated", order: order.id, exit: 0, current: order.path });
  await rig.activator.announce({ type: "checking", order: order.id });
  await expect
    .poll(async () => (await operator.hostState(web1, signal()))?.order?.phase, poll)
    .toBe("checking");
  expect(opened).toBe(0);
  const units = { before: 0, after: 0, new: [], lost: [] };
  await rig.activator.announce({ type: "checked", order: order.id, checks: [], units });
  const heard = requestsOf(rig, "network").length;
  await expect.poll(() => opened, poll).toBeGreaterThanOrEqual(2);
  // As long as it cannot, it says who answers.
  expect(requestsOf(rig, "network").length).toBeGreaterThan(heard);
  expect(requestsOf(rig, "confirm")).toEqual([]);
  mayOpen = true;
  await expect
    .poll(() => requestsOf(rig, "confirm")[0], poll)
    .toEqual({ type: "confirm", order: order.id, epoch: 7 });
  await rig.activator.announce({ type: "confirmed", order: order.id, ms: 1 });
});

test("output is streamed, bounded, and goes on after a restart where it was", async ({ as }) => {
  await emptied(await as("admin"), "DEPLOY_ORDERS", "DEPLOY_EVENTS");
  const operator = createDeployBus(await as("operator"));
  await using rig = await startListener({
    address: web1,
    connection: await as("listener", { role: "daemon" }),
  });
  const { order, envelope } = anOrder();
  await put(operator, envelope);
  await expect.poll(() => rig.activator.orders.length, poll).toBe(1);
  const file = join(rig.directory, `${order.id}.log`);
  await writeFile(file, "activating the configuration…\n");
  await rig.activator.announce({ type: "activating", order: order.id, epoch: 1, from: somePath("old") });
  const text = async (): Promise<string> =>
    (await operator.readOutput(web1, order.id, signal())).map((chunk) => chunk.text).join("");
  await expect.poll(text, poll).toBe("activating the configuration…\n");
  await rig.restart(await as("listener", { role: "daemon" }));
  await appendFile(file, "setting up /etc…\n");
  await expect.poll(text, poll).toBe("activating the configuration…\nsetting up /etc…\n");
  await appendFile(file, "x".repeat(5 * 1024 * 1024));
  await rig.activator.announce({ type: "finished", order: order.id, outcome: "completed", ms: 1 });
  await expect
    .poll(async () => (await operator.readOutput(web1, order.id, signal())).at(-1)?.dropped, poll)
    .toBeGreaterThan(1024 * 1024);
  const chunks = await operator.readOutput(web1, order.id, signal());
  const bytes = chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk.text), 0);
  expect(bytes).toBe(4 * 1024 * 1024);
  expect(chunks.length).toBeLessThan(80);
});

test("events that NATS has lost are stored again, each once", async ({ as, roles }) => {
  await emptied(await as("admin"), "DEPLOY_ORDERS", "DEPLOY_EVENTS");
  const operator = createDeployBus(await as("operator"));
  await using rig = await startListener({
    address: web1,
    connection: await as("listener", { role: "daemon" }),
  });
  for (const index of [0, 1, 2]) await rig.activator.announce({ type: "warning", text: `${index}` });
  const stored = async (): Promise<readonly string[]> =>
    (await operator.readDeployEvents(web1, 0, signal())).map((event) =>
      event.type === "warning" ? event.text : event.type,
    );
  await expect.poll(stored, poll).toEqual(["0", "1", "2"]);
  await rig.stop();
  await emptied(await as("admin"), "DEPLOY_EVENTS");
  await rig.activator.announce({ type: "warning", text: "3" });
  await rig.restart(await as("listener", { role: "daemon" }));
  await expect.poll(stored, poll).toEqual(["0", "1", "2", "3"]);
  // And over an outage of the server.
  await roles.kill();
  await rig.activator.announce({ type: "warning", text: "4" });
  await roles.start();
  await expect
    .poll(async () => stored().catch(() => []), { timeout: 60_000 })
    .toEqual(["0", "1", "2", "3", "4"]);
  const raw = createListenerBus(await as("listener"), web1);
  expect(await raw.lastEvent(signal())).toMatchObject({ index: 4 });
  const { state } = await (await openManager(await as("admin"))).streams.info("DEPLOY_EVENTS");
  expect(state.messages).toBe(5);
}, 240_000);
