import { expect, test } from "vitest";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { withDeadline } from "./deadline.ts";

const never = new AbortController().signal;
const late = new Error("too late");

test("work has its time, in all", async () => {
  const clock = createFakeClock();
  const deadline = { clock, milliseconds: 1000, error: () => late };
  const steps: number[] = [];
  let seen: AbortSignal | undefined;
  const working = withDeadline(deadline, never, async (signal) => {
    seen = signal;
    for (let step = 1; ; step++) {
      await clock.sleep(400);
      steps.push(step);
    }
  });
  const failure = working.catch((error: unknown) => error);
  await clock.advance(1100);
  expect(await failure).toBe(late);
  expect(steps).toEqual([1, 2]);
  expect(seen?.reason).toBe(late);
});

test("work that ends in time leaves nothing behind, and an abort from outside is the work's own", async () => {
  const clock = createFakeClock();
  const deadline = { clock, milliseconds: 1000, error: () => late };
  expect(await withDeadline(deadline, never, async () => "done")).toBe("done");
  await clock.advance(0);
  expect(clock.sleepers).toBe(0);
  const outside = new AbortController();
  const working = withDeadline(deadline, outside.signal, (signal) => clock.sleep(500, signal));
  outside.abort(new Error("stopped"));
  await expect(working).rejects.toThrow("stopped");
});
