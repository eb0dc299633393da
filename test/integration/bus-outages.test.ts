import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import type { BuildMessage } from "../../src/bus/bus.ts";
import { connectNats } from "../../src/bus/connect/connection.ts";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { parseHostName, parseRepoName, type BuildId } from "../../src/protocol/names.ts";
import { aBuildId, accepted, aChunk, anEvent, finished, warning } from "../support/builds.ts";
import { hastyClock } from "../support/hasty-clock.ts";
import { connectTo, startNatsServer, type NatsServer } from "../support/nats-server.ts";
import { test } from "../support/nats-roles.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const target = { repo: parseRepoName("servers"), host: parseHostName("web1") };
const never = new AbortController().signal;

function testSignal(): AbortSignal {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  return controller.signal;
}

test("a follower misses nothing while the server is killed and comes back, twice", async ({ roles, as }) => {
  const signal = testSignal();
  const bus = createBuilderBus(await as("builder1", { role: "daemon" }));
  const reader = createReader(await as("dashboard"));
  const id = aBuildId();
  const log = await bus.openEventLog(id, [], signal);
  await log.append(anEvent(id, 0, accepted), signal);
  const seen: BuildMessage[] = [];
  const following = (async () => {
    for await (const message of reader.follow(id, { logs: true }, signal)) seen.push(message);
  })();

  const written = 60;
  for (let index = 1; index <= written; index++) {
    if (index === 20 || index === 40) {
      await roles.kill();
      setTimeout(() => void roles.start(), 300);
    }
    await bus.appendLog(aChunk(id, index % 3, Math.floor(index / 3), `line ${index}\n`), signal);
    await log.append(anEvent(id, index, warning(`${index}`)), signal);
  }
  await log.append(anEvent(id, written + 1, finished), signal);
  await following;

  const indexes = seen.flatMap((message) => (message.type === "event" ? [message.event.index] : []));
  expect(indexes).toEqual(Array.from({ length: written + 2 }, (_, index) => index));
  const lines = seen.flatMap((message) => (message.type === "log" ? [message.chunk.text] : []));
  expect(lines).toEqual(Array.from({ length: written }, (_, n) => `line ${n + 1}\n`));
  expect(seen.filter(({ type }) => type === "connection").length).toBeGreaterThanOrEqual(2);
});

test("a follower whose connection lost the last event finds it by itself", async ({ roles, as }) => {
  const signal = testSignal();
  await using proxy = await startTcpProxy(roles.port);
  const bus = createBuilderBus(await as("builder1"));
  const reader = createReader(await as("ci", { servers: [`nats://127.0.0.1:${proxy.port}`] }));
  const id = aBuildId();
  const log = await bus.openEventLog(id, [], signal);
  await log.append(anEvent(id, 0, accepted), signal);
  const seen: number[] = [];
  const following = (async () => {
    for await (const message of reader.follow(id, {}, signal)) {
      if (message.type === "event") seen.push(message.event.index);
    }
  })();
  // One by one, so that the follower is sure to wait for live messages in the end.
  for (let index = 1; index <= 5; index++) {
    await log.append(anEvent(id, index, warning("live")), signal);
    await expect.poll(() => seen.at(-1)).toBe(index);
  }

  proxy.loseAnswers();
  await log.append(anEvent(id, 6, finished), signal);
  proxy.cut();
  await following;
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("a builder that waits for a request gets one after the server came back", async ({ roles, as }) => {
  const signal = testSignal();
  const bus = createBuilderBus(await as("builder1", { role: "daemon" }));
  const taking = (async () => {
    for (;;) {
      const delivery = await bus.nextRequest(signal);
      if (delivery !== undefined) return delivery;
    }
  })();
  await sleep(100, undefined, { signal });
  await roles.kill();
  await roles.start();
  const id = aBuildId();
  await createReader(await as("operator")).submit(target, { id }, signal);
  const delivery = await taking;
  expect(delivery.subject).toBe("build.servers.web1");
  await delivery.ack(signal);
});

test("a delivery is acknowledged after the server was away, at the latest when it comes again", async ({
  roles,
  as,
}) => {
  const signal = testSignal();
  const bus = createBuilderBus(await as("builder1", { role: "daemon" }));
  const operator = createReader(await as("operator", { role: "daemon" }));
  await operator.submit(target, { id: aBuildId() }, signal);
  const first = await bus.nextRequest(signal);
  await roles.kill();
  const acking = first?.ack(signal).catch((error: unknown) => error);
  await roles.start();
  const again = (await acking) === undefined ? undefined : await bus.nextRequest(signal);
  expect(again?.sequence ?? first?.sequence).toBe(first?.sequence);
  await again?.ack(signal);
  await expect.poll(() => operator.queueLength(signal)).toBe(0);
});

test("what is published while the server is away is stored when it is back", async ({ roles, as }) => {
  const signal = testSignal();
  const connection = await as("operator");
  const operator = createReader(connection);
  await roles.kill();
  await expect.poll(() => connection.isConnected()).toBe(false);
  const id = aBuildId();
  const submitting = operator.submit(target, { id }, signal);
  await roles.start();
  await submitting;
  expect(await operator.queueLength(signal)).toBe(1);
  const delivery = await createBuilderBus(await as("builder1")).nextRequest(signal);
  await delivery?.ack(signal);
});

test("waiting for a server that is away can be aborted", async ({ roles, as }) => {
  const connection = await as("operator");
  await roles.kill();
  try {
    await expect.poll(() => connection.isConnected()).toBe(false);
    const submitting = createReader(connection).submit(target, { id: aBuildId() }, AbortSignal.timeout(50));
    await expect(submitting).rejects.toThrow(/timeout/);
  } finally {
    await roles.start();
  }
});

test("a slow reader gets every chunk and costs no memory meanwhile", async ({ as }) => {
  const signal = testSignal();
  const bus = createBuilderBus(await as("builder1"));
  const reader = createReader(await as("dashboard"));
  const id = aBuildId();
  const log = await bus.openEventLog(id, [], signal);
  await log.append(anEvent(id, 0, accepted), signal);
  const following = reader.follow(id, { logs: true, progress: true }, signal)[Symbol.asyncIterator]();
  await following.next();

  const before = memory();
  const chunks = 400;
  const line = `${"x".repeat(64 * 1024 - 20)}\n`;
  for (let index = 0; index < chunks; index++) {
    await bus.appendLog(aChunk(id, 0, index, `${index} ${line}`), signal);
    bus.publishProgress({ build: id, running: [], hosts: [] });
  }
  await log.append(anEvent(id, 1, finished), signal);
  // 25 MiB went by.
  await expect.poll(() => memory() - before, { timeout: 30_000 }).toBeLessThan(8 * 1024 * 1024);

  const indexes: number[] = [];
  for (let next = await following.next(); next.done !== true; next = await following.next()) {
    if (next.value.type === "log") {
      indexes.push(Number.parseInt(next.value.chunk.text, 10));
    }
  }
  expect(indexes).toEqual(Array.from({ length: chunks }, (_, index) => index));
});

function memory(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test("a command fails fast where nobody listens, a daemon waits for the server", async () => {
  const server = await startNatsServer();
  await using _ = server;
  await server.kill();
  await expect(connectTo(server)).rejects.toMatchObject({ kind: "unavailable", code: "NATS_UNREACHABLE" });

  const waiting = connectTo(server, { role: "daemon" });
  await server.start();
  await using connection = await waiting;
  expect(connection.isConnected()).toBe(true);
  await server.kill();
  await expect(
    connectNats({ servers: [server.url], name: "x", role: "daemon" }, silentLog, AbortSignal.timeout(100)),
  ).rejects.toThrow(/timeout/);
  expect(never.aborted).toBe(false);
});

/** As a backup of the whole directory does: the server is away meanwhile. */
async function putBack(roles: NatsServer, backup: string): Promise<void> {
  await roles.kill();
  await rm(roles.storeDirectory, { recursive: true });
  await cp(backup, roles.storeDirectory, { recursive: true });
  await roles.start();
}

test("who follows a build that a restored server does not know any more is told so", async ({
  roles,
  as,
}) => {
  const signal = testSignal();
  const directory = await mkdtemp(join(tmpdir(), "homelab-nats-backup-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const backup = join(directory, "store");
  const operator = createReader(await as("operator", { role: "daemon" }));
  const builder = createBuilderBus(await as("builder1", { role: "daemon" }));
  const [early, late, queued] = [aBuildId(), aBuildId(), aBuildId()];
  const log = await builder.openEventLog(early, [], signal);
  await log.append(anEvent(early, 0, accepted), signal);
  await roles.kill();
  await cp(roles.storeDirectory, backup, { recursive: true });
  await roles.start();

  await log.append(anEvent(early, 1, warning("lost")), signal);
  await (await builder.openEventLog(late, [], signal)).append(anEvent(late, 0, accepted), signal);
  await operator.submit(target, { id: queued }, signal);
  const events = new Map<BuildId, number>();
  const ends = [early, late, queued].map(async (id) => {
    for await (const message of operator.follow(id, {}, signal)) {
      if (message.type === "event") events.set(id, message.event.index);
    }
  });
  const failures = Promise.allSettled(ends);
  await expect.poll(() => [events.get(early), events.get(late)]).toEqual([1, 0]);
  await putBack(roles, backup);
  const incomplete = { status: "rejected", reason: { code: "EVENTS_INCOMPLETE" } };
  expect(await failures).toMatchObject([incomplete, incomplete, incomplete]);
});

test("who follows a build that waits in the queue waits with it", async ({ as }) => {
  const signal = testSignal();
  const connection = await as("operator");
  const builder = createBuilderBus(await as("builder1"));
  const operator = createReader({ ...connection, clock: hastyClock });
  const id = aBuildId();
  await operator.submit(target, { id }, signal);
  const types: string[] = [];
  const following = (async () => {
    for await (const message of operator.follow(id, {}, signal)) types.push(message.type);
  })();
  // Some dozen looks, with the request in the queue and then in a builder's hand.
  await sleep(1500);
  const delivery = await builder.nextRequest(signal);
  await sleep(1500);
  const log = await builder.openEventLog(id, [], signal);
  await log.append(anEvent(id, 0, accepted), signal);
  await delivery?.ack(signal);
  await sleep(500);
  await log.append(anEvent(id, 1, finished), signal);
  await following;
  expect(types).toEqual(["event", "event"]);
});
