import type { Clock } from "../../base/clock.ts";

/** How often something may be done, at most: some at once, and then one in a while. */
export interface Allowance {
  /** Takes one and returns 0, or returns for how many milliseconds there is none. */
  take(): number;
}

export function createAllowance(
  { atOnce, everyMs }: { readonly atOnce: number; readonly everyMs: number },
  clock: Clock,
): Allowance {
  /** When all of them are there again. */
  let fullAt = Number.NEGATIVE_INFINITY;
  return {
    take() {
      const now = clock.monotonic();
      const next = Math.max(fullAt, now) + everyMs;
      const waitMs = next - now - atOnce * everyMs;
      if (waitMs > 0) return waitMs;
      fullAt = next;
      return 0;
    },
  };
}
