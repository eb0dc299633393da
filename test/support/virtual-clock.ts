import type { Clock } from "../../src/base/clock.ts";

/** Time that jumps to the next who wakes as soon as nobody has anything to do: hours pass in milliseconds. */
export function createVirtualClock(start = "2026-11-23T14:00:00.000Z"): Clock {
  const startMs = Date.parse(start);
  const sleeping = new Map<() => void, number>();
  let elapsed = 0;
  let isTurning = false;

  function turn(): void {
    isTurning = false;
    const next = [...sleeping].toSorted(([, a], [, b]) => a - b)[0];
    if (next === undefined) return;
    const [wake, at] = next;
    elapsed = Math.max(elapsed, at);
    wake();
    schedule();
  }

  function schedule(): void {
    if (isTurning || sleeping.size === 0) return;
    isTurning = true;
    setImmediate(turn);
  }

  return {
    now: () => new Date(startMs + elapsed),
    monotonic: () => elapsed,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const wake = (): void => {
          sleeping.delete(wake);
          signal?.removeEventListener("abort", abandon);
          resolve();
        };
        const abandon = (): void => {
          sleeping.delete(wake);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", abandon, { once: true });
        sleeping.set(wake, elapsed + Math.max(0, milliseconds));
        schedule();
      }),
  };
}
