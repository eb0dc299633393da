/** Work that several callers want at the same time, each with its own signal. */
export type Coalesced<T> = (signal: AbortSignal) => Promise<T>;

interface Run<T> {
  readonly controller: AbortController;
  readonly result: Promise<T>;
  callers: number;
}

/**
 * Shares runs of the same work: whoever asks while a run continues waits for the next one, together with all others
 * who ask until that begins. So nobody gets an answer that is older than the question, and however many ask, at
 * most one run continues and one waits. A run is aborted when the last of its callers has gone.
 */
export function coalesce<T>(work: (signal: AbortSignal) => Promise<T>): Coalesced<T> {
  let waiting: Run<T> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function enqueue(): Run<T> {
    const controller = new AbortController();
    const result = last.then(() => {
      if (waiting === run) waiting = undefined;
      controller.signal.throwIfAborted();
      return work(controller.signal);
    });
    const run = { controller, result, callers: 0 };
    last = result.catch(() => undefined);
    return run;
  }

  return async (signal) => {
    signal.throwIfAborted();
    const run = (waiting ??= enqueue());
    run.callers++;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => {
      run.callers--;
      if (run.callers > 0) {
        reject(signal.reason);
        return;
      }
      if (waiting === run) waiting = undefined;
      // The last one waits until all work has ended.
      run.controller.abort(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([run.result, left]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  };
}
