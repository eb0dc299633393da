import { jetstreamManager } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { expect } from "vitest";
import { NotTheHolderError } from "../../src/bus/bus.ts";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { createKnownBuildCheck } from "../../src/bus/known-build.ts";
import { createStreamReader } from "../../src/bus/stored-messages.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import { eventSubject, streams } from "../../src/protocol/subjects.ts";
import { aBuildId, accepted, anEvent, finished, warning } from "../support/builds.ts";
import { test } from "../support/nats-roles.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const signal = new AbortController().signal;

test("a stale builder cannot add to a build that another one resumed", async ({ as }) => {
  const [stale, fresh] = [createBuilderBus(await as("builder1")), createBuilderBus(await as("builder2"))];
  const id = aBuildId();
  const staleLog = await stale.openEventLog(id, [], signal);
  await staleLog.append(anEvent(id, 0, accepted), signal);

  const history = await fresh.readEvents(id, 0, signal);
  const freshLog = await fresh.openEventLog(id, history, signal);
  await freshLog.append(anEvent(id, 1, warning("resumed"), 2), signal);

  await expect(staleLog.append(anEvent(id, 1, warning("stale")), signal)).rejects.toThrow(NotTheHolderError);
  await freshLog.append(anEvent(id, 2, finished, 2), signal);
  await expect(staleLog.append(anEvent(id, 1, finished), signal)).rejects.toThrow(NotTheHolderError);
  expect((await fresh.readEvents(id, 0, signal)).map(({ epoch }) => epoch)).toEqual([1, 2, 2]);
});

test("in a cluster a copy that lags is not taken for a server that lost events", async ({ as }) => {
  const alone = await as("builder1");
  const builder = createBuilderBus(alone);
  const id = aBuildId();
  await (await builder.openEventLog(id, [], signal)).append(anEvent(id, 0, accepted), signal);
  const last = await createStreamReader(alone, streams.events).last(eventSubject(id));
  const sequence = last?.sequence ?? 0;
  const gone = { code: "EVENTS_INCOMPLETE" };
  // Whoever follows has read the next event from another copy.
  expect(await createKnownBuildCheck(alone, id)(sequence + 1, signal)).toMatchObject(gone);
  const check = createKnownBuildCheck({ ...alone, cluster: "homelab" }, id);
  for (let look = 1; look < 8; look++) expect(await check(sequence + 1, signal)).toBeUndefined();
  // It has caught up, and may lag again.
  expect(await check(sequence, signal)).toBeUndefined();
  for (let look = 1; look < 8; look++) expect(await check(sequence + 1, signal)).toBeUndefined();
  expect(await check(sequence + 1, signal)).toMatchObject(gone);
});

test("of two builders that resume at once one wins, although their events have the same number", async ({
  as,
}) => {
  const [one, two] = [createBuilderBus(await as("builder1")), createBuilderBus(await as("builder2"))];
  const id = aBuildId();
  await (await one.openEventLog(id, [], signal)).append(anEvent(id, 0, accepted), signal);
  const history = await one.readEvents(id, 0, signal);
  const logs = [await one.openEventLog(id, history, signal), await two.openEventLog(id, history, signal)];
  const outcomes = await Promise.allSettled(
    logs.map((log, n) => log.append(anEvent(id, 1, warning(`from ${n}`), 2), signal)),
  );
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect(outcomes.find((outcome) => outcome.status === "rejected")?.reason).toBeInstanceOf(NotTheHolderError);
  expect(await one.readEvents(id, 0, signal)).toHaveLength(2);
});

test("a build that has events cannot be begun again", async ({ as }) => {
  const bus = createBuilderBus(await as("builder1"));
  const id = aBuildId();
  await (await bus.openEventLog(id, [], signal)).append(anEvent(id, 0, accepted), signal);
  await expect(bus.openEventLog(id, [], signal)).rejects.toThrow(NotTheHolderError);
});

test("events that are appended at once are stored in order", async ({ as }) => {
  const bus = createBuilderBus(await as("builder1"));
  const id = aBuildId();
  const log = await bus.openEventLog(id, [], signal);
  await Promise.all(
    [accepted, warning("a"), warning("b"), finished].map((body, index) =>
      log.append(anEvent(id, index, body), signal),
    ),
  );
  expect((await bus.readEvents(id, 0, signal)).map(({ index }) => index)).toEqual([0, 1, 2, 3]);
});

test.for([
  ["while the server still remembers its id", 600],
  ["when the server has forgotten its id", 1],
] as const)(
  "an event whose acknowledgement got lost is stored once, %s",
  async ([, duplicateWindowSeconds], { roles, as }) => {
    const admin = await as("admin");
    const manager = await jetstreamManager(admin.nats);
    await manager.streams.update("BUILD_EVENTS", {
      duplicate_window: duplicateWindowSeconds * 1_000_000_000,
    });
    await using proxy = await startTcpProxy(roles.port);
    const builder = await as("builder1", { servers: [`nats://127.0.0.1:${proxy.port}`], role: "daemon" });
    const bus = createBuilderBus(builder);
    const id = aBuildId();
    const log = await bus.openEventLog(id, [], signal);
    await log.append(anEvent(id, 0, accepted), signal);

    proxy.loseAnswers();
    const appending = log.append(anEvent(id, 1, warning("once")), signal);
    const observer = createReader(await as("operator", { role: "daemon" }));
    await expect.poll(async () => (await observer.lastEvent(id, signal))?.index).toBe(1);
    await roles.kill();
    proxy.cut();
    await roles.start();
    await appending;
    await log.append(anEvent(id, 2, finished), signal);

    expect((await observer.readEvents(id, 0, signal)).map(({ index }) => index)).toEqual([0, 1, 2]);
    await admin.whenConnected(signal);
    const info = await manager.streams.info("BUILD_EVENTS", {
      subjects_filter: `build-events.${id}`,
      deleted_details: false,
      offset: 0,
    });
    expect(info.state.subjects).toEqual({ [`build-events.${id}`]: 3 });
  },
);

test("an event that nobody can read, or that is missing, is an error and not a shorter story", async ({
  as,
}) => {
  const builder = await as("builder1");
  const bus = createBuilderBus(builder);
  const [unreadable, gap] = [aBuildId(), aBuildId()];
  await (await bus.openEventLog(unreadable, [], signal)).append(anEvent(unreadable, 0, accepted), signal);
  const publish = async (build: BuildId, event: object): Promise<void> => {
    const set = headers();
    set.set("Nats-Msg-Id", `${build}.1.${build === gap ? 2 : 1}`);
    await builder.nats.request(`build-events.${build}`, JSON.stringify(event), {
      headers: set,
      timeout: 2000,
    });
  };
  await publish(unreadable, { v: 9 });
  await (await bus.openEventLog(gap, [], signal)).append(anEvent(gap, 0, accepted), signal);
  await publish(gap, anEvent(gap, 2, finished));

  const reader = createReader(await as("dashboard"));
  await expect(reader.readEvents(unreadable, 0, signal)).rejects.toMatchObject({ code: "EVENTS_INCOMPLETE" });
  await expect(reader.readEvents(gap, 0, signal)).rejects.toMatchObject({ code: "EVENTS_INCOMPLETE" });
  await expect(Array.fromAsync(reader.follow(gap, {}, signal))).rejects.toMatchObject({
    code: "EVENTS_INCOMPLETE",
  });
  expect(await reader.lastEvent(unreadable, signal)).toBeUndefined();
});

test.for([
  ["too large", "x".repeat(2_000_000), "TOO_LARGE"],
  ["not valid for a reader", "x".repeat(20_000), "BAD_MESSAGE"],
] as const)(
  "an event that is %s is refused before it is sent, and the connection stays",
  async ([, text, code], { as }) => {
    const builder = await as("builder1");
    const bus = createBuilderBus(builder);
    const id = aBuildId();
    const log = await bus.openEventLog(id, [], signal);
    // Our own bug: what a build says is cut and divided before.
    await expect(log.append(anEvent(id, 0, warning(text)), signal)).rejects.toMatchObject({
      name: "TypeError",
      cause: { code },
    });
    await log.append(anEvent(id, 0, accepted), signal);
    expect(builder.isConnected()).toBe(true);
  },
);

test("a builder whose events vanished is told so, and does not ask forever", async ({ as }) => {
  const bus = createBuilderBus(await as("builder1"));
  const id = aBuildId();
  const log = await bus.openEventLog(id, [], signal);
  await log.append(anEvent(id, 0, accepted), signal);
  await log.append(anEvent(id, 1, warning("before")), signal);
  const manager = await jetstreamManager((await as("admin")).nats, { checkAPI: false });
  const { config } = await manager.streams.info("BUILD_EVENTS");
  await manager.streams.delete("BUILD_EVENTS");
  await manager.streams.add(config);
  await expect(log.append(anEvent(id, 2, finished), AbortSignal.timeout(30_000))).rejects.toMatchObject({
    code: "EVENTS_INCOMPLETE",
  });
});

test("a build whose events a full stream dropped while it said nothing still ends", async ({ as }) => {
  const bus = createBuilderBus(await as("builder1"));
  const manager = await jetstreamManager((await as("admin")).nats, { checkAPI: false });
  const { config } = await manager.streams.info("BUILD_EVENTS");
  await manager.streams.update("BUILD_EVENTS", { ...config, max_bytes: 256 * 1024 });
  try {
    const id = aBuildId();
    const log = await bus.openEventLog(id, [], signal);
    await log.append(anEvent(id, 0, accepted), signal);
    const other = aBuildId();
    const otherLog = await bus.openEventLog(other, [], signal);
    for (let index = 0; index < 40; index++) {
      await otherLog.append(anEvent(other, index, warning("x".repeat(9000))), signal);
    }
    expect(await bus.lastEvent(id, signal)).toBeUndefined();

    await log.append(anEvent(id, 1, finished), AbortSignal.timeout(30_000));
    expect(await bus.lastEvent(id, signal)).toMatchObject({ type: "finished", index: 1 });
    await expect(log.append(anEvent(id, 1, finished), signal)).rejects.toThrow(RangeError);
  } finally {
    await manager.streams.update("BUILD_EVENTS", config);
  }
});
