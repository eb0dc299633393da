// The server answers API requests to any reply subject, also to one that the asker may not publish to. So a key
// that may only read can make the server publish stored bytes, or its own words, among our messages.
import { jetstreamManager } from "@nats-io/jetstream";
import { expect } from "vitest";
import type { BuildMessage } from "../../src/bus/bus.ts";
import type { Connection } from "../../src/bus/connection.ts";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { isAtLeast } from "../../src/bus/server-version.ts";
import { parseBuilderName } from "../../src/protocol/names.ts";
import { aBuildId, accepted, aChunk, anEvent, aStatus, finished, warning } from "../support/builds.ts";
import { test } from "../support/nats-roles.ts";

function answerTo({ nats }: Connection, api: string, reply: string): void {
  nats.publish(api, "", { reply });
}

async function messagesOn({ nats }: Connection, stream: string, subject: string): Promise<number> {
  const manager = await jetstreamManager(nats, { checkAPI: false });
  const { state } = await manager.streams.info(stream, {
    subjects_filter: subject,
    deleted_details: false,
    offset: 0,
  });
  return state.subjects?.[subject] ?? 0;
}

test("answers that a reader has sent among a build's messages fool nobody and stop nobody", async ({
  as,
}) => {
  const signal = AbortSignal.timeout(20_000);
  const bus = createBuilderBus(await as("builder1"));
  const [watched, other] = [aBuildId(), aBuildId()];
  const log = await bus.openEventLog(watched, [], signal);
  const otherLog = await bus.openEventLog(other, [], signal);
  await log.append(anEvent(watched, 0, accepted), signal);
  await otherLog.append(anEvent(other, 0, accepted), signal);
  await otherLog.append(anEvent(other, 1, finished), signal);
  const forgedEvent = anEvent(watched, 1, finished);
  await bus.appendLog(aChunk(other, 1, 1, JSON.stringify(forgedEvent)), signal);

  const operator = await as("operator");
  const reader = createReader(operator);
  const seen: BuildMessage[] = [];
  const following = (async () => {
    for await (const message of reader.follow(watched, { logs: true }, signal)) seen.push(message);
  })();
  await expect.poll(() => seen.length).toBe(1);

  const dashboard = await as("dashboard");
  const lastOf = (stream: string, subject: string): string => `$JS.API.DIRECT.GET.${stream}.${subject}`;
  const events = `build-events.${watched}`;
  answerTo(dashboard, lastOf("BUILD_EVENTS", `build-events.${other}`), `live.${events}`);
  answerTo(dashboard, lastOf("BUILD_LOGS", `build-logs.${other}.1`), events);
  answerTo(dashboard, "$JS.API.STREAM.INFO.BUILD_LOGS", events);
  answerTo(dashboard, "$JS.API.STREAM.INFO.BUILD_LOGS", `build-logs.${watched}.0`);
  await expect.poll(() => messagesOn(dashboard, "BUILD_EVENTS", events)).toBe(3);
  await expect.poll(() => messagesOn(dashboard, "BUILD_LOGS", `build-logs.${watched}.0`)).toBe(1);

  expect(await reader.lastEvent(watched, signal)).toEqual(anEvent(watched, 0, accepted));
  await log.append(anEvent(watched, 1, warning("still running")), signal);
  await log.append(anEvent(watched, 2, finished), signal);
  await following;
  expect(seen).toEqual(
    [accepted, warning("still running"), finished].map((body, index) => ({
      type: "event",
      event: anEvent(watched, index, body),
    })),
  );
  expect(await Array.fromAsync(reader.readLogs(watched, signal))).toEqual([]);
});

test.for([
  ["that tells the state of a stream", "$JS.API.STREAM.INFO.BUILD_EVENTS"],
  [
    "that is empty, because there is no such message,",
    `$JS.API.DIRECT.GET.BUILD_EVENTS.build-events.${aBuildId()}`,
  ],
] as const)("an answer %s does not start a build", async ([answer, api], { as, roles, skip }) => {
  skip(
    answer.includes("empty") && isAtLeast(roles.version, "2.11.0"),
    "newer servers store it without its status: it is the same as an empty request",
  );
  const bus = createBuilderBus(await as("builder1"));
  const operator = await as("operator");
  answerTo(await as("dashboard"), api, "build.any.all");
  await expect.poll(() => messagesOn(operator, "BUILD_REQUESTS", "build.any.all")).toBe(1);
  expect(await bus.nextRequest(AbortSignal.timeout(5000))).toBeUndefined();
  await expect.poll(() => messagesOn(operator, "BUILD_REQUESTS", "build.any.all")).toBe(0);
});

test("a builder tells its status to inboxes only, whatever the question names for the answer", async ({
  as,
}) => {
  const signal = AbortSignal.timeout(10_000);
  const builder = await as("builder1");
  const name = parseBuilderName("b1");
  const status = aStatus("b1", "2026-01-01T00:00:00.000Z");
  let asked = 0;
  createBuilderBus(builder).answerStatus(name, () => (asked++, status), signal);
  await builder.nats.flush();

  const operator = await as("operator");
  let misdirected = 0;
  operator.nats.subscribe("build-replies.operator.x", { callback: () => void misdirected++ });
  operator.nats.publish("builder.b1.status", "", { reply: "build-replies.operator.x" });
  await operator.nats.request("builder.b1.status");
  await operator.nats.flush();
  expect({ asked, misdirected }).toEqual({ asked: 1, misdirected: 0 });
});
