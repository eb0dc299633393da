import { headers } from "@nats-io/transport-node";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createTail, readStored, type StoredMessage, type StreamReader } from "./stored-messages.ts";

/** A stream in memory. */
function createStream() {
  const messages: StoredMessage[] = [];
  const stream = {
    isAway: false,
    /** Called while the server looks for an answer. */
    onRead: () => {},
    store(...sequences: readonly number[]): void {
      const empty = { subject: "s", storedAt: new Date(0), data: new Uint8Array(), headers: headers() };
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
  return { stream, reader, tail: createTail(reader, "s") };
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

test("several requests at once give every message once and in order, wherever others stand between them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 80 }),
      fc.nat(200),
      async (sequences, after) => {
        const { stream, reader } = createStream();
        const stored = sequences.toSorted((a, b) => a - b);
        stream.store(...stored);
        const read = await Array.fromAsync(readStored(async (from) => reader.next("s", from), after));
        expect(read.map(({ sequence }) => sequence)).toEqual(stored.filter((each) => each > after));
      },
    ),
  );
});

test("the next messages are asked for while one is read, and a failure that nobody waits for is none", async () => {
  const { stream, reader } = createStream();
  stream.store(...Array.from({ length: 100 }, (_, index) => index + 1));
  let [asked, askedAtFifty] = [0, 0];
  const next = async (from: number): Promise<StoredMessage | undefined> => {
    asked++;
    if (from > 60) throw new Error("the server is away");
    return reader.next("s", from);
  };
  for await (const { sequence } of readStored(next, 0)) {
    if (sequence === 50) askedAtFifty = asked;
    if (sequence === 55) break;
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(askedAtFifty).toBeGreaterThanOrEqual(60);
  expect(asked).toBeGreaterThan(60);
});
