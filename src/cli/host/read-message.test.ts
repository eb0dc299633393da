import { PassThrough } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { readMessage } from "./read-message.ts";

const never = new AbortController().signal;

function start(signal = never) {
  const [input, clock] = [new PassThrough(), createFakeClock()];
  let read: string | undefined;
  void readMessage(input, clock, signal).then((text) => (read = text));
  return { input, clock, read: () => read };
}
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
};

test("a line is read as it comes, and nothing behind it", async () => {
  const { input, read } = start();
  input.write('{"type":');
  await settled();
  expect(read()).toBeUndefined();
  input.write('"network"}\nmore');
  await expect.poll(read).toBe('{"type":"network"}');
});

test("whoever says nothing holds the socket for two seconds", async () => {
  const { clock, read } = start();
  await settled();
  await clock.advance(1_999);
  expect(read()).toBeUndefined();
  await clock.advance(1);
  await expect.poll(read).toBe("");
});

test("whoever says little holds it for five", async () => {
  const { input, clock, read } = start();
  for (let second = 0; second < 4; second++) {
    input.write("x");
    await settled();
    await clock.advance(1_000);
  }
  await settled();
  expect(read()).toBeUndefined();
  await clock.advance(1_000);
  await expect.poll(read).toBe("xxxx");
});

test("a line without an end is bounded", async () => {
  const { input, read } = start();
  input.write("x".repeat(1024 * 1024));
  await expect.poll(() => read()?.length).toBe(1024 * 1024);
});

test("an abort ends it", async () => {
  const ending = new AbortController();
  const { read } = start(ending.signal);
  await settled();
  ending.abort();
  await expect.poll(read).toBe("");
});
