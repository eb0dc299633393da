import { jetstreamManager } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { expect, onTestFinished } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { createKnownBuildCheck } from "../../src/bus/known-build.ts";
import { checkStreams, isDispensable, requireSound, setUpStreams } from "../../src/bus/server/setup.ts";
import { parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { decodeRequest } from "../../src/protocol/request.ts";
import { parseRequestSubject } from "../../src/protocol/subjects.ts";
import { aBuildId, aStatus } from "../support/builds.ts";
import { test as withRoles } from "../support/nats-roles.ts";
import { test } from "../support/nats.ts";

const target = { repo: parseRepoName("servers"), host: parseHostName("web1.lan") };

function testSignal(): AbortSignal {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  return AbortSignal.any([controller.signal, AbortSignal.timeout(30_000)]);
}

withRoles("a request that is put aside comes back as it was in the queue, and once", async ({ as }) => {
  const signal = testSignal();
  const operator = createReader(await as("operator"));
  const builder = createBuilderBus(await as("builder1"));
  const backlog = await builder.openBacklog(signal);
  const id = aBuildId();
  await operator.submit(target, { id, priority: "batch" }, signal);

  const queued = await builder.nextRequest(signal);
  if (queued === undefined || backlog === undefined) throw new Error("nothing was delivered");
  expect(await backlog.add(queued, parseRequestSubject(queued.subject), signal)).toBe(true);
  // As after a crash before the acknowledgement.
  expect(await backlog.add(queued, parseRequestSubject(queued.subject), signal)).toBe(true);
  expect(await operator.queueLength(signal)).toBe(2);
  await queued.ack(signal);
  expect(await operator.queueLength(signal)).toBe(1);

  const aside = await backlog.next(signal);
  expect(aside).toMatchObject({
    subject: queued.subject,
    data: queued.data,
    sequence: queued.sequence,
    storedAt: queued.storedAt,
    streamCreated: queued.streamCreated,
    deliveryCount: 1,
  });
  await aside?.ack(signal);
  expect(await operator.queueLength(signal)).toBe(0);
});

withRoles("where a request was before is believed to builders only", async ({ as }) => {
  const signal = testSignal();
  const { nats } = await as("ci");
  const header = headers();
  header.set("Homelab-Deploy-Request", "7 2099-01-01T00:00:00.000Z 2099-01-01T00:00:00Z");
  await nats.request("build-backlog.servers.web1", "{}", { headers: header, timeout: 5000 });
  const builder = createBuilderBus(await as("builder1"));
  const delivery = await (await builder.openBacklog(signal))?.next(signal);
  expect(delivery?.subject).toBe("build.servers.web1");
  expect(delivery?.storedAt.getTime()).toBeLessThan(Date.now() + 60_000);
  await delivery?.ack(signal);
});

withRoles("a batch request goes to the backlog while every builder that is there has one", async ({ as }) => {
  const signal = testSignal();
  const operator = createReader(await as("operator"));
  const [one, two] = [createBuilderBus(await as("builder1")), createBuilderBus(await as("builder2"))];
  const backlog = await one.openBacklog(signal);
  const now = new Date().toISOString();
  const batch = () => ({ id: aBuildId(), priority: "batch" as const });

  await one.putStatus({ ...aStatus("b1", now), backlog: true }, signal);
  await two.putStatus({ ...aStatus("b2", "2026-01-01T00:00:00.000Z"), backlog: false }, signal);
  const first = batch();
  await operator.submit(target, first, signal);
  const aside = await backlog?.next(signal);
  expect(aside?.subject).toBe("build.servers.web1%2Elan");
  expect(aside && decodeRequest(aside.data).id).toBe(first.id);
  await aside?.ack(signal);

  await two.putStatus(aStatus("b2", now), signal);
  const second = batch();
  await operator.submit(target, second, signal);
  const queued = await one.nextRequest(signal);
  expect(queued && decodeRequest(queued.data).id).toBe(second.id);
  await queued?.ack(signal);
});

test("what has no room in the backlog stays in the queue", async ({ connection }) => {
  const signal = testSignal();
  await setUpStreams(connection);
  const manager = await jetstreamManager(connection.nats);
  await manager.streams.update("BUILD_BACKLOG", { max_msgs_per_subject: 1 });
  const bus = createBuilderBus(connection);
  const backlog = await bus.openBacklog(signal);
  const added: (boolean | undefined)[] = [];
  for (let count = 0; count < 2; count++) {
    await bus.submit(target, { id: aBuildId(), priority: "batch" }, signal);
    const delivery = await bus.nextRequest(signal);
    if (delivery === undefined) throw new Error("nothing was delivered");
    added.push(await backlog?.add(delivery, target, signal));
  }
  expect(added).toEqual([true, false]);
  await manager.streams.purge("BUILD_REQUESTS");
});

test("a server of before the backlog is sound for a builder, and knows how many requests wait", async ({
  connection,
}) => {
  const signal = testSignal();
  await setUpStreams(connection);
  const manager = await jetstreamManager(connection.nats);
  await manager.streams.delete("BUILD_BACKLOG");
  const findings = await checkStreams(connection);
  expect(findings.filter(isDispensable).map(({ object }) => object)).toEqual([
    "BUILD_BACKLOG",
    "BUILD_BACKLOG.builder-backlog",
  ]);
  expect(() => requireSound(findings.filter((finding) => !isDispensable(finding)))).not.toThrow();

  const bus = createBuilderBus(connection);
  expect(await bus.openBacklog(signal)).toBeUndefined();
  await bus.putStatus({ ...aStatus("b1", new Date().toISOString()), backlog: true }, signal);
  await bus.submit(target, { id: aBuildId(), priority: "batch" }, signal);
  expect(await bus.queueLength(signal)).toBe(1);
  const check = createKnownBuildCheck(connection, aBuildId());
  for (let look = 0; look < 6; look++) expect(await check(0, signal)).toBeUndefined();
});
