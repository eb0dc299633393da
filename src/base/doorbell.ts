/** Wakes loops that wait for work. Ringing while nobody waits is remembered once. */
export interface Doorbell {
  ring(): void;
  /** Resolves at the next ring, or at once when it rang unheard. Rejects with the signal's reason when it aborts. */
  wait(signal: AbortSignal): Promise<void>;
}

export function createDoorbell(): Doorbell {
  const waiting = new Set<() => void>();
  let unheard = false;
  return {
    ring() {
      unheard = waiting.size === 0;
      for (const wake of waiting) wake();
      waiting.clear();
    },
    async wait(signal) {
      signal.throwIfAborted();
      if (unheard) {
        unheard = false;
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
