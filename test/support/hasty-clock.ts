import { type Clock, systemClock } from "../../src/base/clock.ts";

/** Real time, in which everybody waits a hundred times shorter than they mean to. */
export const hastyClock: Clock = {
  ...systemClock,
  sleep: (milliseconds, signal) => systemClock.sleep(milliseconds / 100, signal),
};
