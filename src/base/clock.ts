import { setTimeout as sleep } from "node:timers/promises";

/** Time as an argument, so that tests need not wait and a jumping wall clock cannot change a duration. */
export interface Clock {
  /** Wall clock: only for what people read and for names. */
  now(): Date;
  /** Milliseconds from an arbitrary start that never go back: for every duration and deadline. */
  monotonic(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  async sleep(milliseconds, signal) {
    try {
      await sleep(milliseconds, undefined, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};
