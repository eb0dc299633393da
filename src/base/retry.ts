import type { Clock } from "./clock.ts";

export interface RetryPolicy {
  /** How often it is tried at most, the first time included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
}

/** The wait before attempt `attempt` (2 is the first retry), spread by +-20 % so that many do not retry at once. */
export function retryDelay(policy: RetryPolicy, attempt: number, random: number = Math.random()): number {
  const delay = policy.firstDelayMs * policy.factor ** Math.max(0, attempt - 2);
  return Math.min(policy.maxDelayMs, delay) * (0.8 + 0.4 * random);
}

export interface Retry<T> {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly attempt: (attempt: number) => Promise<T>;
  /** Only what may pass by itself is retried. */
  readonly isTransient: (error: unknown) => boolean;
  /** How long to wait, where that is not for the policy alone: a server may say it by `Retry-After`. */
  readonly waitMs?: (error: unknown, delayMs: number) => number;
  readonly onRetry?: (error: unknown, nextAttempt: number, delayMs: number) => void;
}

/** Runs until it works, fails for good, or the attempts are used up; then throws the last error. */
export async function retry<T>({
  policy,
  clock,
  signal,
  attempt,
  isTransient,
  waitMs,
  onRetry,
}: Retry<T>): Promise<T> {
  for (let number = 1; ; number++) {
    signal.throwIfAborted();
    try {
      return await attempt(number);
    } catch (error) {
      signal.throwIfAborted();
      if (number >= policy.attempts || !isTransient(error)) throw error;
      const backoff = retryDelay(policy, number + 1);
      const delay = waitMs?.(error, backoff) ?? backoff;
      onRetry?.(error, number + 1, delay);
      await clock.sleep(delay, signal);
    }
  }
}
