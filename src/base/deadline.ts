import type { Clock } from "./clock.ts";

export interface Deadline {
  readonly clock: Clock;
  readonly milliseconds: number;
  /** The error that is thrown when it has passed. */
  readonly error: () => Error;
}

/**
 * Gives work so long, however many steps it has. Its signal then aborts with the error, and the error is thrown at once,
 * also where the work does not listen.
 */
export async function withDeadline<T>(
  { clock, milliseconds, error }: Deadline,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const settled = new AbortController();
  const passed = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  async function watch(): Promise<void> {
    try {
      await clock.sleep(milliseconds, AbortSignal.any([signal, settled.signal]));
    } catch {
      return; // settled in time, or aborted from outside
    }
    const reason = error();
    reject(reason);
    passed.abort(reason);
  }
  void watch();
  try {
    return await Promise.race([work(AbortSignal.any([signal, passed.signal])), late]);
  } finally {
    settled.abort();
  }
}
