// Orders, events, outputs and states on a real server, with the rights that `nats config` prints.
import { isAbsent } from "../../src/protocol/deploy/host-state.ts";
import { expect } from "vitest";
import { createDeployBus } from "../../src/bus/deploy/create-deploy-bus.ts";
import { createDeployReader } from "../../src/bus/deploy/create-deploy-reader.ts";
import { createListenerBus } from "../../src/bus/deploy/create-listener-bus.ts";
import type { DeployMessage } from "../../src/bus/deploy-bus.ts";
import { openManager } from "../../src/bus/jetstream-api.ts";
import type { DeployEvent } from "../../src/protocol/deploy/deploy-events.ts";
import type { HostState } from "../../src/protocol/deploy/host-state.ts";
import { deployEventSubject, orderSubject } from "../../src/protocol/subjects.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import type { OrderId } from "../../src/protocol/deploy/order.ts";
import { test } from "../support/nats-roles.ts";
import { startNatsServer, connectTo } from "../support/nats-server.ts";
import { testHosts } from "../support/start-roles-server.ts";

const web1 = testHosts.listener;
const signal = (): AbortSignal => AbortSignal.timeout(60_000);
const anOrderId = (second = 0): OrderId => newBuildId(new Date(Date.parse(at(second)))) as unknown as OrderId;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const at = (second: number): string => new Date(1_800_000_000_000 + second * 1000).toISOString();

const anEvent = (index: number, second = index): DeployEvent => ({
  type: "warning",
  ...web1,
  index,
  at: at(second),
  text: `number ${index}`,
});

const aState = (seq: number): HostState => ({
  ...web1,
  at: at(seq),
  seq,
  bootId: "b",
  version: "1",
  system: "x86_64-linux",
  labels: {},
  serves: [],
  running: { path: null },
  booted: { path: null },
  permanent: { path: null },
  bootDefault: { path: null },
  orderKinds: [],
  drift: [],
  failedUnits: [],
  migration: false,
  clock: { ok: true },
});

test("of two signers at once, one stores its order in each of 200 rounds", async ({ as }) => {
  const signers = [createDeployBus(await as("operator")), createDeployBus(await as("deployer"))];
  const [first] = signers;
  for (let round = 0; round < 200; round++) {
    const before = await first?.newestOrder(web1, signal());
    const stored = await Promise.all(
      signers.map(async (signer, index) =>
        signer.putOrder(web1, bytes(`${round}.${index}`), before?.sequence ?? 0, signal()),
      ),
    );
    expect(stored.filter((isStored) => isStored)).toEqual([true]);
    const newest = await first?.newestOrder(web1, signal());
    expect(new TextDecoder().decode(newest?.envelope)).toBe(`${round}.${stored.indexOf(true)}`);
  }
});

test("a listener is given the newest order, and again when there is another, also of a stream made again", async ({
  as,
}) => {
  const operator = createDeployBus(await as("operator"));
  const admin = await as("admin");
  const listener = createListenerBus(await as("listener"), web1);
  const put = async (text: string): Promise<void> => {
    const newest = await operator.newestOrder(web1, signal());
    expect(await operator.putOrder(web1, bytes(text), newest?.sequence ?? 0, signal())).toBe(true);
  };
  await put("the first");
  const orders = listener.followOrders(signal())[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value } = await orders.next();
    return new TextDecoder().decode((value as { envelope: Uint8Array }).envelope);
  };
  expect(await next()).toBe("the first");
  await put("the second");
  await put("the third");
  expect(await next()).toMatch(/the (?:second|third)/);
  const manager = await openManager(admin);
  const { config } = await manager.streams.info("DEPLOY_ORDERS");
  await manager.streams.delete("DEPLOY_ORDERS");
  await manager.streams.add(config);
  await put("of a new stream");
  await expect.poll(next, { timeout: 60_000 }).toBe("of a new stream");
  await orders.return?.(undefined);
});

test("an event is stored once, however often it is sent, and by whom", async ({ as }) => {
  const reader = createDeployReader(await as("operator"));
  const listeners = [
    createListenerBus(await as("listener"), web1),
    createListenerBus(await as("listener"), web1),
  ];
  const [one, two] = listeners;
  for (const index of [0, 1, 2]) {
    await Promise.all(listeners.map(async (listener) => listener.appendEvent(anEvent(index), signal())));
  }
  await one?.appendEvent(anEvent(3), signal());
  await one?.appendEvent(anEvent(4), signal());
  // The other one is behind: it must not store the third behind the fourth.
  await two?.appendEvent(anEvent(3), signal());
  await two?.appendEvent(anEvent(4), signal());
  await two?.appendEvent(anEvent(5), signal());
  const events = await reader.readDeployEvents(web1, 0, signal());
  expect(events.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  expect((await reader.readDeployEvents(web1, 4, signal())).map(({ index }) => index)).toEqual([4, 5]);
  const manager = await openManager(await as("admin"));
  const { state } = await manager.streams.info("DEPLOY_EVENTS", {
    subjects_filter: deployEventSubject(web1),
  });
  expect(state.subjects).toEqual({ [deployEventSubject(web1)]: 6 });
});

test("an emptied stream gets its events once more, although the server remembers their ids", async ({
  as,
}) => {
  const admin = await as("admin");
  const reader = createDeployReader(await as("operator"));
  const listener = createListenerBus(await as("listener"), web1);
  const manager = await openManager(admin);
  const { config } = await manager.streams.info("DEPLOY_EVENTS");
  await manager.streams.update("DEPLOY_EVENTS", { ...config, deny_purge: false }).catch(() => undefined);
  await listener.appendEvent(anEvent(10), signal());
  await listener.appendEvent(anEvent(11), signal());
  // What it cannot purge, it loses by a limit.
  await manager.streams.update("DEPLOY_EVENTS", { ...config, max_msgs: 1 });
  await createListenerBus(await as("neighbour"), testHosts.neighbour).appendEvent(
    { ...anEvent(0), ...testHosts.neighbour },
    signal(),
  );
  await manager.streams.update("DEPLOY_EVENTS", { ...config, max_msgs: -1 });
  expect(await listener.lastEvent(signal())).toBeUndefined();
  await listener.appendEvent(anEvent(10), signal());
  await listener.appendEvent(anEvent(11), signal());
  const events = await reader.readDeployEvents(web1, 0, signal());
  expect(events.map(({ index }) => index)).toEqual([10, 11]);
});

test("a host that was reinstalled begins its log again, and readers see the new one", async ({ as }) => {
  const reader = createDeployReader(await as("dashboard"));
  const listener = createListenerBus(await as("listener"), web1);
  for (const index of [20, 21]) await listener.appendEvent(anEvent(index), signal());
  const ended = new AbortController();
  const seen: number[] = [];
  const following = (async () => {
    for await (const message of reader.followHost(web1, 21, ended.signal)) {
      if (message.type === "event") seen.push(message.event.index);
    }
  })();
  await expect.poll(() => seen).toEqual([21]);
  for (const index of [0, 1]) await listener.appendEvent(anEvent(index, 100 + index), signal());
  await expect.poll(() => seen).toEqual([21, 0, 1]);
  expect((await reader.readDeployEvents(web1, 0, signal())).map(({ index }) => index)).toEqual([0, 1]);
  ended.abort(new Error("enough"));
  await following;
});

test("output comes in order to those who follow, and can be read by its order afterwards", async ({ as }) => {
  const reader = createDeployReader(await as("operator"));
  const listener = createListenerBus(await as("listener"), web1);
  const [before, order] = [anOrderId(1), anOrderId(2)];
  await listener.appendOutput({ order: before, index: 0, end: 4, text: "old\n" }, signal());
  const ended = new AbortController();
  const messages: DeployMessage[] = [];
  const following = (async () => {
    for await (const message of reader.followHost(web1, 0, ended.signal)) messages.push(message);
  })().catch(() => undefined);
  // Only what is under way is shown from its beginning.
  await listener.appendEvent({ ...anEvent(200, 200), order }, signal());
  await expect.poll(() => messages.some(({ type }) => type === "event")).toBe(true);
  for (const index of [0, 1]) {
    await listener.appendOutput({ order, index, end: (index + 1) * 5, text: `line${index}` }, signal());
  }
  await listener.appendOutput({ order, index: 2, end: 99, text: "", dropped: 89 }, signal());
  const chunks = (): unknown[] =>
    messages.flatMap((message) => (message.type === "output" ? [message.chunk] : []));
  await expect.poll(chunks).toEqual([
    { order, index: 0, end: 5, text: "line0" },
    { order, index: 1, end: 10, text: "line1" },
    { order, index: 2, end: 99, text: "", dropped: 89 },
  ]);
  expect(await reader.readOutput(web1, before, signal())).toEqual([
    { order: before, index: 0, end: 4, text: "old\n" },
  ]);
  expect(await listener.lastOutput(signal())).toMatchObject({ order, end: 99 });
  ended.abort(new Error("enough"));
  await following;
});

test("whoever orders again does not see the output of the deployment before", async ({ as }) => {
  const address = testHosts.neighbour;
  const reader = createDeployReader(await as("operator"));
  const listener = createListenerBus(await as("neighbour"), address);
  const [before, order] = [anOrderId(3), anOrderId(4)];
  const over: DeployEvent = {
    type: "finished",
    ...address,
    index: 300,
    at: at(300),
    order: before,
    outcome: "completed",
    ms: 1,
  };
  await listener.appendEvent(over, signal());
  await listener.appendOutput({ order: before, index: 0, end: 4, text: "old\n" }, signal());
  const ended = new AbortController();
  const chunks: unknown[] = [];
  const following = (async () => {
    for await (const message of reader.followHost(address, 301, ended.signal)) {
      if (message.type === "output") chunks.push(message.chunk.text);
    }
  })();
  await listener.appendEvent({ ...anEvent(301, 301), ...address, order }, signal());
  await listener.appendOutput({ order, index: 0, end: 4, text: "new\n" }, signal());
  await expect.poll(() => chunks.at(-1)).toBe("new\n");
  expect(chunks).toEqual(["new\n"]);
  ended.abort(new Error("enough"));
  await following;
});

test("states and holds are one row for each host", async ({ as }) => {
  const operator = createDeployBus(await as("operator"));
  const listener = createListenerBus(await as("listener"), web1);
  const neighbour = createListenerBus(await as("neighbour"), testHosts.neighbour);
  await listener.putHostState(aState(1), signal());
  await listener.putHostState(aState(2), signal());
  await neighbour.putHostState({ ...aState(3), ...testHosts.neighbour }, signal());
  expect((await operator.hostStates(signal())).map(({ host, seq }) => `${host} ${seq}`).toSorted()).toEqual([
    "db1 3",
    "web1.lan 2",
  ]);
  expect(await operator.hostState(web1, signal())).toMatchObject({ seq: 2 });
  // Whatever its clock says, it was heard just now, by that of the server. It cannot say otherwise.
  for (const [seq, time] of [
    [4, "1970-01-01T00:00:00.000Z"],
    [5, "2099-01-01T00:00:00.000Z"],
  ] as const) {
    await listener.putHostState({ ...aState(seq), at: time, heardAt: time }, signal());
    const state = await operator.hostState(web1, signal());
    expect(state).toMatchObject({ seq, at: time });
    expect(state && isAbsent(state, new Date())).toBe(false);
    expect(state && isAbsent(state, new Date(Date.now() + 600_000))).toBe(true);
  }
  // It can say of itself what it likes, but not that it is another host.
  await neighbour.putHostState({ ...aState(9), ...testHosts.neighbour, host: web1.host }, signal());
  expect((await operator.hostStates(signal(), web1.repo)).map(({ host }) => host)).toEqual(["web1.lan"]);

  const hold = { by: "kai", reason: "disk is being replaced", at: at(1) };
  await operator.putHold(web1.repo, web1.host, hold, signal());
  await operator.putHold(web1.repo, "all", { ...hold, reason: "holidays" }, signal());
  expect([...(await operator.holds(signal()))].toSorted(([a], [b]) => a.localeCompare(b))).toEqual([
    ["servers/all", { ...hold, reason: "holidays" }],
    ["servers/web1.lan", hold],
  ]);
  await operator.putHold(web1.repo, "all", undefined, signal());
  expect([...(await operator.holds(signal())).keys()]).toEqual(["servers/web1.lan"]);
});

test("a server that nobody has set up for deploying has no hosts, no orders and no events", async () => {
  await using server = await startNatsServer();
  await using connection = await connectTo(server);
  const reader = createDeployReader(connection);
  expect(await reader.hostStates(signal())).toEqual([]);
  expect(await reader.hostState(web1, signal())).toBeUndefined();
  expect(await reader.newestOrder(web1, signal())).toBeUndefined();
  expect(await reader.readDeployEvents(web1, 0, signal())).toEqual([]);
  expect(await reader.readOutput(web1, anOrderId(), signal())).toEqual([]);
  expect(await reader.holds(signal())).toEqual(new Map());
});

test("bytes of another order are no order of this one", async ({ as }) => {
  const operator = createDeployBus(await as("operator"));
  const before = await operator.newestOrder(web1, signal());
  // Whatever is stored is given out as it is: only signatures say what it is.
  expect(await operator.putOrder(web1, bytes("{}"), before?.sequence ?? 0, signal())).toBe(true);
  expect(await operator.putOrder(web1, bytes("{}"), before?.sequence ?? 0, signal())).toBe(false);
  expect(orderSubject(web1)).toBe("deploy-orders.servers.web1%2Elan");
});
