import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { newBuildId } from "../protocol/ulid.ts";
import { eventMessageId, isEventOf, isServerAnswer, logMessageId } from "./message-ids.ts";

const [build, other] = [newBuildId(new Date(0)), newBuildId(new Date(1))];
const withId = (id: string) => {
  const set = headers();
  set.set("Nats-Msg-Id", id);
  return set;
};

test("an event is known by its id, and a log chunk can never stand for one", () => {
  expect(isEventOf(build, withId(eventMessageId({ build, epoch: 3, index: 12 })))).toBe(true);
  expect(isEventOf(build, withId(eventMessageId({ build: other, epoch: 3, index: 12 })))).toBe(false);
  expect(isEventOf(build, withId(logMessageId({ build, log: 3, index: 12 })))).toBe(false);
  expect(isEventOf(build, headers())).toBe(false);
});

test("answers of JetStream's API are told from requests", () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  expect(isServerAnswer(undefined, text('{"type":"io.nats.jetstream.api.v1.stream_info_response"}'))).toBe(
    true,
  );
  expect(isServerAnswer(headers(404, "No Messages"), text(""))).toBe(true);
  expect(isServerAnswer(undefined, text("{}"))).toBe(false);
  expect(isServerAnswer(withId("x"), text('{"priority":"batch"}'))).toBe(false);
});
