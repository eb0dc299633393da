import type { Clock } from "../../src/base/clock.ts";

export interface FakeClock extends Clock {
  /** Lets time pass; whoever sleeps wakes up in the order of time, and may sleep again within it. */
  advance(milliseconds: number): Promise<void>;
  /** How many sleep right now. */
  readonly sleepers: number;
}

interface Sleeper {
  readonly wakeAt: number;
  readonly wake: () => void;
}

/** Time stands still until it is advanced. */
export function createFakeClock(start = "2026-11-23T14:08:58.000Z"): FakeClock {
  const startMs = Date.parse(start);
  const sleeping = new Set<Sleeper>();
  let elapsed = 0;
  return {
    now: () => new Date(startMs + elapsed),
    monotonic: () => elapsed,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const sleeper: Sleeper = {
          wakeAt: elapsed + Math.max(0, milliseconds),
          wake() {
            sleeping.delete(sleeper);
            signal?.removeEventListener("abort", abandon);
            resolve();
          },
        };
        const abandon = (): void => {
          sleeping.delete(sleeper);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", abandon, { once: true });
        sleeping.add(sleeper);
      }),
    async advance(milliseconds) {
      const end = elapsed + milliseconds;
      await settle();
      for (let next = nextOf(sleeping, end); next !== undefined; next = nextOf(sleeping, end)) {
        elapsed = Math.max(elapsed, next.wakeAt);
        next.wake();
        await settle();
      }
      elapsed = end;
    },
    get sleepers() {
      return sleeping.size;
    },
  };
}

const nextOf = (sleeping: ReadonlySet<Sleeper>, end: number): Sleeper | undefined =>
  [...sleeping].filter(({ wakeAt }) => wakeAt <= end).toSorted((a, b) => a.wakeAt - b.wakeAt)[0];

/** Everything that promises have set in motion has run. */
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
