import { expect, onTestFinished } from "vitest";
import type { BuilderBus, BuildMessage } from "../../src/bus/bus.ts";
import { createBuilderBus, warningsAbout } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { decodeBuilderStatus } from "../../src/protocol/builder-status.ts";
import type { BuildEvent } from "../../src/protocol/events.ts";
import { parseBuilderName, parseHostName, parseRepoName, type BuildId } from "../../src/protocol/names.ts";
import { decodeRequest } from "../../src/protocol/request.ts";
import { aBuildId, accepted, aChunk, anEvent, aStatus, finished, warning } from "../support/builds.ts";
import { test } from "../support/nats-roles.ts";

const target = { repo: parseRepoName("servers"), host: parseHostName("web1.lan") };
const b1 = parseBuilderName("b1");

function testSignal(): AbortSignal {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  return AbortSignal.any([controller.signal, AbortSignal.timeout(30_000)]);
}

async function writeBuild(bus: BuilderBus, id: BuildId, signal: AbortSignal): Promise<readonly BuildEvent[]> {
  const events = [accepted, warning("disk is slow"), finished].map((body, index) => anEvent(id, index, body));
  const log = await bus.openEventLog(id, [], signal);
  for (const event of events) await log.append(event, signal);
  return events;
}

test("a request waits in the queue, is taken once, and is gone when it is acknowledged", async ({ as }) => {
  const signal = testSignal();
  const operator = createReader(await as("operator"));
  const builder = createBuilderBus(await as("builder1"));
  const id = aBuildId();
  await operator.submit(target, { id, branch: undefined }, signal);
  await operator.submit(target, { id }, signal);
  expect(await operator.queueLength(signal)).toBe(1);

  const delivery = await builder.nextRequest(signal);
  if (delivery === undefined) throw new Error("nothing was delivered");
  expect(delivery.subject).toBe("build.servers.web1%2Elan");
  expect(decodeRequest(delivery.data).id).toBe(id);
  expect(delivery.deliveryCount).toBe(1);
  expect(Math.abs(Date.now() - delivery.storedAt.getTime())).toBeLessThan(60_000);
  expect(delivery.streamCreated).toMatch(/^\d{4}-\d\d-\d\dT/);
  delivery.working();
  expect(await operator.queueLength(signal)).toBe(1);
  await delivery.ack(signal);
  await delivery.ack(signal);
  expect(await operator.queueLength(signal)).toBe(0);
});

test("a request that is handed back comes again, with the same sequence", async ({ as }) => {
  const signal = testSignal();
  const builder = createBuilderBus(await as("builder1"));
  await createReader(await as("ci")).submit(target, { id: aBuildId() }, signal);
  const first = await builder.nextRequest(signal);
  first?.handBack(0);
  const second = await builder.nextRequest(signal);
  expect(second).toMatchObject({ sequence: first?.sequence, deliveryCount: 2 });
  await second?.ack(signal);
});

test("waiting for a request ends when it is aborted, and a request after that is not lost", async ({
  as,
}) => {
  const signal = testSignal();
  const builder = createBuilderBus(await as("builder1"));
  const stopping = new AbortController();
  const waiting = builder.nextRequest(stopping.signal);
  stopping.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
  await createReader(await as("operator")).submit(target, { id: aBuildId() }, signal);
  const delivery = await createBuilderBus(await as("builder2")).nextRequest(AbortSignal.timeout(30_000));
  expect(delivery).toBeDefined();
  await delivery?.ack(signal);
});

test("a cancel reaches who watches at once, and who takes it from the queue", async ({ as }) => {
  const signal = testSignal();
  const builder = createBuilderBus(await as("builder1"));
  const seen: string[] = [];
  builder.watchControls((subject) => void seen.push(subject), signal);
  const id = aBuildId();
  await createReader(await as("operator")).control(id, { action: "cancel" }, signal);
  const delivery = await builder.nextControl(signal);
  expect(delivery?.subject).toBe(`build-control.${id}`);
  await delivery?.ack(signal);
  await expect.poll(() => seen).toEqual([`build-control.${id}`]);
});

test("every reading role sees the events of a build, and lists builds newest first", async ({ as }) => {
  const signal = testSignal();
  const builder = createBuilderBus(await as("builder1"));
  const [older, newer] = [aBuildId(), aBuildId()].toSorted();
  if (older === undefined || newer === undefined) throw new Error("two ids");
  const events = await writeBuild(builder, older, signal);
  await writeBuild(builder, newer, signal);
  for (const user of ["operator", "ci", "dashboard", "builder2"] as const) {
    const reader = createReader(await as(user));
    expect(await reader.readEvents(older, 0, signal)).toEqual(events);
    expect(await reader.readEvents(older, 2, signal)).toEqual(events.slice(2));
    expect(await reader.lastEvent(older, signal)).toEqual(events[2]);
    expect((await reader.listBuilds(signal)).filter((id) => id === older || id === newer)).toEqual([
      newer,
      older,
    ]);
  }
  const unknown = aBuildId();
  const reader = createReader(await as("dashboard"));
  expect(await reader.readEvents(unknown, 0, signal)).toEqual([]);
  expect(await reader.lastEvent(unknown, signal)).toBeUndefined();
});

test("logs come back as they were written, in the order of storing", async ({ as }) => {
  const signal = testSignal();
  const builder = createBuilderBus(await as("builder1"));
  const id = aBuildId();
  const chunks = [
    aChunk(id, 0, 0, "hällo\n"),
    { ...aChunk(id, 1, 0, "other\n"), kind: "full" as const, dropped: 7 },
    aChunk(id, 0, 1, "\u001b[31mred\u001b[0m\n"),
  ];
  for (const chunk of chunks) await builder.appendLog(chunk, signal);
  expect(await Array.fromAsync(createReader(await as("operator")).readLogs(id, signal))).toEqual(chunks);
});

test("following gives history, then what happens, with all logs before the last event", async ({ as }) => {
  const signal = testSignal();
  const builder = createBuilderBus(await as("builder1"));
  const id = aBuildId();
  const log = await builder.openEventLog(id, [], signal);
  await log.append(anEvent(id, 0, accepted), signal);
  await builder.appendLog(aChunk(id, 0, 0, "before\n"), signal);

  const seen: BuildMessage[] = [];
  const following = (async () => {
    const reader = createReader(await as("dashboard"));
    for await (const message of reader.follow(id, { logs: true, progress: true }, signal)) seen.push(message);
  })();
  await expect.poll(() => seen.length).toBe(2);
  builder.publishProgress({ build: id, note: "now", running: [], hosts: [] });
  await expect.poll(() => seen.length).toBe(3);
  await builder.appendLog(aChunk(id, 0, 1, "after\n"), signal);
  await log.append(anEvent(id, 1, finished), signal);
  await following;

  expect(seen.map((message) => (message.type === "event" ? message.event.type : message.type))).toEqual([
    "accepted",
    "log",
    "progress",
    "log",
    "finished",
  ]);
});

test("following a build that is over ends, and following ends when aborted", async ({ as }) => {
  const signal = testSignal();
  const builder = createBuilderBus(await as("builder1"));
  const id = aBuildId();
  await writeBuild(builder, id, signal);
  const reader = createReader(await as("ci"));
  expect(await Array.fromAsync(reader.follow(id, {}, signal))).toHaveLength(3);

  const stopping = new AbortController();
  const none = Array.fromAsync(reader.follow(aBuildId(), { logs: true, progress: true }, stopping.signal));
  stopping.abort();
  expect(await none).toEqual([]);
});

test("builders are listed with their last status, and answer when asked", async ({ as }) => {
  const signal = testSignal();
  const builder = createBuilderBus(await as("builder1"));
  await builder.putStatus(aStatus("b1", "2026-01-01T00:00:00.000Z"), signal);
  await builder.putStatus(aStatus("b1", "2026-01-01T00:00:20.000Z"), signal);
  const operator = await as("operator");
  expect(await createReader(operator).listBuilders(signal)).toEqual([
    aStatus("b1", "2026-01-01T00:00:20.000Z"),
  ]);

  builder.answerStatus(b1, () => aStatus("b1", "2026-01-01T00:00:30.000Z"), signal);
  await expect
    .poll(async () => decodeBuilderStatus((await operator.nats.request("builder.b1.status")).data).at)
    .toBe("2026-01-01T00:00:30.000Z");
});

test("a request's sender can follow as a plain client, on its own reply subject", async ({ as }) => {
  const signal = testSignal();
  const operator = await as("operator");
  const replies = operator.nats.subscribe("build-replies.operator.mine");
  await operator.nats.flush();
  const builder = createBuilderBus(await as("builder1"));
  const event = anEvent(aBuildId(), 0, finished);
  builder.reply("build-replies.operator.mine", event);
  for await (const message of replies) {
    expect(message.json()).toMatchObject({ build: event.build, type: "finished" });
    break;
  }
  expect(signal.aborted).toBe(false);
});

test("a request that is too large is refused, and says so", async ({ as }) => {
  const hosts = Array.from({ length: 2000 }, (_, n) => parseHostName(`${"x".repeat(60)}${n}`));
  const submitting = createReader(await as("ci")).submit(target, { id: aBuildId(), hosts }, testSignal());
  await expect(submitting).rejects.toMatchObject({ kind: "usage", code: "TOO_LARGE" });
});

test("says what a server before 2.10 cannot promise", async ({ as, roles }) => {
  const { serverWarnings } = createBuilderBus(await as("builder1"));
  expect(serverWarnings).toEqual(warningsAbout(roles.version));
  expect(warningsAbout("2.9.10")).toEqual([expect.stringContaining("may not survive a power cut")]);
  expect(warningsAbout("2.10.0")).toEqual([]);
});
