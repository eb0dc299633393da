import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { createTail, type StoredMessage, type StreamReader } from "./stored-messages.ts";

/** A stream in memory. */
function createStream() {
  const messages: StoredMessage[] = [];
  const stream = {
    isAway: false,
    /** Called while the server looks for an answer. */
    onRead: () => {},
    store(...sequences: readonly number[]): void {
      const empty = { subject: "s", data: new Uint8Array(), headers: headers() };
      messages.push(...sequences.map((sequence) => ({ ...empty, sequence })));
    },
  };
  const reader: StreamReader = {
    async next(_subjects, fromSequence) {
      if (stream.isAway) throw new Error("the server is away");
      const found = messages.find(({ sequence }) => sequence >= fromSequence);
      stream.onRead();
      return found;
    },
    last: async () => messages.at(-1),
  };
  return { stream, tail: createTail(reader, "s") };
}

test("reads what is there, and then nothing until something is announced", async () => {
  const { stream, tail } = createStream();
  stream.store(3, 7);
  expect(tail.isBehind()).toBe(true);
  expect((await tail.next())?.sequence).toBe(3);
  expect((await tail.next())?.sequence).toBe(7);
  expect(tail.isBehind()).toBe(true); // nobody has said that it was the last
  expect(await tail.next()).toBeUndefined();
  expect(tail.isBehind()).toBe(false);
  stream.store(8);
  tail.announce(8);
  expect(tail.isBehind()).toBe(true);
  expect((await tail.next())?.sequence).toBe(8);
  expect(tail.isBehind()).toBe(false);
});

test("messages that are announced out of order are all read", async () => {
  const { stream, tail } = createStream();
  await tail.next();
  stream.store(1, 2);
  tail.announce(2);
  tail.announce(1);
  expect((await tail.next())?.sequence).toBe(1);
  expect(tail.isBehind()).toBe(true);
  expect((await tail.next())?.sequence).toBe(2);
  expect(tail.isBehind()).toBe(false);
});

test("after a read that failed there may be more", async () => {
  const { stream, tail } = createStream();
  stream.isAway = true;
  await expect(tail.next()).rejects.toThrow("away");
  expect(tail.isBehind()).toBe(true);
});

test("what is announced and never comes is not waited for, unless it was announced during the read", async () => {
  const { stream, tail } = createStream();
  await tail.next();
  tail.announce(5);
  expect(await tail.next()).toBeUndefined();
  expect(tail.isBehind()).toBe(false);
  tail.announce(6);
  stream.onRead = () => tail.announce(7);
  expect(await tail.next()).toBeUndefined();
  expect(tail.isBehind()).toBe(true);
});

test("what is skipped is not read", async () => {
  const { stream, tail } = createStream();
  stream.store(1, 2);
  tail.skipTo(1);
  expect((await tail.next())?.sequence).toBe(2);
});
