import { expect, test } from "vitest";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { startWatchdog } from "./watchdog.ts";

test("a step that takes too long is overdue, however long the steps before it took together", async () => {
  const clock = createFakeClock();
  const { overdue, restart } = startWatchdog(clock, 100);
  for (let step = 0; step < 5; step++) {
    await clock.advance(99);
    expect(overdue.aborted).toBe(false);
    restart();
  }
  await clock.advance(99);
  expect(overdue.aborted).toBe(false);
  await clock.advance(1);
  expect(overdue.aborted).toBe(true);
});

test("what is over is never overdue, and leaves no timer", async () => {
  const clock = createFakeClock();
  const watchdog = startWatchdog(clock, 100);
  watchdog[Symbol.dispose]();
  await clock.advance(1000);
  expect(watchdog.overdue.aborted).toBe(false);
  expect(clock.sleepers).toBe(0);
});
