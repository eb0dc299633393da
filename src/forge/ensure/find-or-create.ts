import { type RetryPolicy, retryDelay } from "../../base/retry.ts";
import { hasStatus, isUnavailable } from "../http/forge-error.ts";
import type { Http } from "../http/http.ts";

const policy: RetryPolicy = { attempts: 4, firstDelayMs: 1000, factor: 3, maxDelayMs: 20_000 };
const maxRetryAfterMs = 60_000;

export interface FindOrCreate<T> {
  readonly find: () => Promise<T | undefined>;
  readonly create: () => Promise<T>;
  /** What the forge answers to a second creation; such an answer is resolved by finding. */
  readonly duplicateStatuses: readonly number[];
}

export interface FoundOrCreated<T> {
  readonly value: T;
  /** Also when the answer was lost, and it was found after that. */
  readonly created: boolean;
}

/**
 * Creates what is not there. A creation whose answer was lost may have had its effect, and a duplicate was refused
 * because somebody was quicker: in both cases it is looked for again, and created again only when it is not there.
 */
export async function findOrCreate<T>(
  { clock }: Pick<Http, "clock">,
  { find, create, duplicateStatuses }: FindOrCreate<T>,
  signal: AbortSignal,
): Promise<FoundOrCreated<T>> {
  let lost = false;
  for (let attempt = 1; ; attempt++) {
    const found = await find();
    if (found !== undefined) return { value: found, created: lost };
    try {
      return { value: await create(), created: true };
    } catch (error) {
      signal.throwIfAborted();
      if (hasStatus(error, ...duplicateStatuses)) {
        const other = await find();
        if (other === undefined) throw error;
        return { value: other, created: lost };
      }
      if (!isUnavailable(error)) throw error;
      lost = true;
      const wait = error.retryAfterMs ?? 0;
      if (attempt >= policy.attempts || wait > maxRetryAfterMs) {
        // The last word is whether it is there.
        const late = await find().catch(() => undefined);
        if (late === undefined) throw error;
        return { value: late, created: lost };
      }
      await clock.sleep(Math.max(wait, retryDelay(policy, attempt + 1)), signal);
    }
  }
}
