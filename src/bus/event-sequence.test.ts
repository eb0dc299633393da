import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { sampleBuild, scriptBuild } from "../../test/support/build-events.ts";
import { silentLog } from "../base/log.ts";
import { encodeEvent, type BuildEvent } from "../protocol/events.ts";
import { newBuildId } from "../protocol/ulid.ts";
import { createEventSequence } from "./event-sequence.ts";
import { eventMessageId } from "./message-ids.ts";
import type { StoredMessage } from "./stored-messages.ts";

const { events } = scriptBuild().accepted(["web01"]).evaluated("web01").building("web01");

function stored(event: BuildEvent | undefined, id?: string): StoredMessage {
  if (event === undefined) throw new Error("there is no such event");
  const set = headers();
  set.set("Nats-Msg-Id", id ?? eventMessageId(event));
  const subject = `build-events.${sampleBuild}`;
  return { sequence: 1, storedAt: new Date(0), subject, data: encodeEvent(event), headers: set };
}

test("gives each event once, in order", () => {
  const sequence = createEventSequence(sampleBuild, silentLog);
  const messages = [events[0], events[1], events[0], events[1], events[2]].map((event) => stored(event));
  expect(messages.map((message) => sequence.accept(message)?.index)).toEqual([0, 1, undefined, undefined, 2]);
});

test("an event that is missing is an error, and not a gap", () => {
  const sequence = createEventSequence(sampleBuild, silentLog);
  expect(() => sequence.accept(stored(events[1]))).toThrow("they begin with number 1");
  sequence.accept(stored(events[0]));
  expect(() => sequence.accept(stored(events[2]))).toThrow("number 2 follows 0");
});

test.each([
  ["without an id", ""],
  ["with the id of a log chunk", `log.${sampleBuild}.0.0`],
  ["with the id of another build's event", `${newBuildId(new Date(0))}.1.0`],
  ["with something behind the id", `${sampleBuild}.1.0.x`],
])("a message %s was not written by a builder, and is left out", (_, id) => {
  expect(createEventSequence(sampleBuild, silentLog).accept(stored(events[0], id))).toBeUndefined();
});

test.each([
  ["of another number", `${sampleBuild}.1.7`],
  ["of another epoch", `${sampleBuild}.2.0`],
])("an event that is stored under the id %s is an error", (_, id) => {
  const sequence = createEventSequence(sampleBuild, silentLog);
  expect(() => sequence.accept(stored(events[0], id))).toThrow(`${id} holds another event`);
});

test("an event of a builder that cannot be read is an error", () => {
  const message = { ...stored(events[0]), data: new TextEncoder().encode("{") };
  expect(() => createEventSequence(sampleBuild, silentLog).accept(message)).toThrow(
    expect.objectContaining({ code: "EVENTS_INCOMPLETE" }),
  );
});
