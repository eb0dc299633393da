import { expect, test } from "vitest";
import { silentLog } from "../../base/log.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import { createVirtualClock } from "../../../test/support/virtual-clock.ts";
import { createRecentState } from "./recent-state.ts";

const never = new AbortController().signal;
const state = (seq: number) => ({ seq }) as HostState;

test("what the listener has read is told for 40 s, and then read once for all who ask", async () => {
  const clock = createVirtualClock();
  let reads = 0;
  const { read, recent } = createRecentState(async () => state(++reads), clock, silentLog);
  await read(never);
  expect(await recent(never)).toEqual(state(1));
  await clock.sleep(39_000);
  expect(await recent(never)).toEqual(state(1));
  await clock.sleep(2_000);
  expect(await Promise.all([recent(never), recent(never)])).toEqual([state(2), state(2)]);
  expect(reads).toBe(2);
});

test("a machine that fails, or does not answer, is not known, and asked again by the next one", async () => {
  const clock = createVirtualClock();
  let isBroken = true;
  const failing = createRecentState(
    async () => {
      if (isBroken) throw new Error("no");
      return state(1);
    },
    clock,
    silentLog,
  );
  expect(await failing.recent(never)).toBeUndefined();
  isBroken = false;
  expect(await failing.recent(never)).toEqual(state(1));

  const silent = createRecentState(
    async (signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("late")))),
    clock,
    silentLog,
  );
  const before = clock.monotonic();
  expect(await silent.recent(never)).toBeUndefined();
  expect(clock.monotonic() - before).toBe(2000);
});
