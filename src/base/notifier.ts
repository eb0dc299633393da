/** Wakes loops that wait for work. A call of `notify` while nobody waits is remembered once. */
export interface Notifier {
  notify(): void;
  /** Resolves at the next `notify`, or at once after one that nobody waited for. Rejects with the signal's reason when it aborts. */
  wait(signal: AbortSignal): Promise<void>;
}

export function createNotifier(): Notifier {
  const waiting = new Set<() => void>();
  let isPending = false;
  return {
    notify() {
      isPending = waiting.size === 0;
      for (const wake of waiting) wake();
      waiting.clear();
    },
    async wait(signal) {
      signal.throwIfAborted();
      if (isPending) {
        isPending = false;
        return;
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = (): void => reject(signal.reason as Error);
      signal.addEventListener("abort", onAbort, { once: true });
      waiting.add(resolve);
      try {
        await promise;
      } finally {
        waiting.delete(resolve);
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}
