import type { Clock } from "./clock.ts";

/** A time limit for each step of some work. */
export interface Watchdog extends Disposable {
  /** Aborts when a step has taken too long. */
  readonly overdue: AbortSignal;
  /** The next step begins. */
  restart(): void;
}

/** The first step begins now. */
export function startWatchdog(clock: Clock, milliseconds: number): Watchdog {
  const overdue = new AbortController();
  let step = new AbortController();
  const watch = (): void => {
    clock.sleep(milliseconds, step.signal).then(
      () => overdue.abort(),
      () => undefined, // the step has ended
    );
  };
  watch();
  return {
    overdue: overdue.signal,
    restart() {
      step.abort();
      step = new AbortController();
      watch();
    },
    [Symbol.dispose]: () => step.abort(),
  };
}
