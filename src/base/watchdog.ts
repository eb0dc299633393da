import type { Clock } from "./clock.ts";

/** A time limit for each step of some work. */
export interface Watchdog extends Disposable {
  /** Aborts when a step has taken too long. */
  readonly overdue: AbortSignal;
  /** The next step begins. */
  restart(): void;
}

/** The first step begins now. Of small steps there are hundreds in a second, so that a step costs no timer. */
export function startWatchdog(clock: Clock, milliseconds: number): Watchdog {
  const overdue = new AbortController();
  const over = new AbortController();
  let dueAt = clock.monotonic() + milliseconds;

  async function watch(): Promise<void> {
    try {
      for (let left = milliseconds; left > 0; left = dueAt - clock.monotonic())
        await clock.sleep(left, over.signal);
      overdue.abort();
    } catch {
      return; // all steps are over
    }
  }
  void watch();
  return {
    overdue: overdue.signal,
    restart() {
      dueAt = clock.monotonic() + milliseconds;
    },
    [Symbol.dispose]: () => over.abort(),
  };
}
