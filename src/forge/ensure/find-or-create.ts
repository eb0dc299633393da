import { isUnavailable } from "../../base/errors.ts";
import { retry } from "../../base/retry.ts";
import { askedMs, asksForTooLong, hasStatus } from "../http/forge-error.ts";
import { forgeRetryPolicy, type Http } from "../http/http.ts";

export interface FindOrCreate<T> {
  readonly find: () => Promise<T | undefined>;
  readonly create: () => Promise<T>;
  /** What the forge answers to a second creation; such an answer is resolved by finding. */
  readonly duplicateStatuses: readonly number[];
}

export interface FoundOrCreated<T> {
  readonly value: T;
  /** Also true if the answer was lost, and it was found after that. */
  readonly created: boolean;
}

/**
 * Creates what does not exist. A creation whose answer was lost may have taken effect, and a refused duplicate means that
 * somebody was quicker. In both cases it is looked up again, and created again only if it is missing.
 */
export async function findOrCreate<T>(
  { clock }: Pick<Http, "clock">,
  { find, create, duplicateStatuses }: FindOrCreate<T>,
  signal: AbortSignal,
): Promise<FoundOrCreated<T>> {
  /** Why the last creation had no answer. */
  let lost: unknown;
  const there = (value: T): FoundOrCreated<T> => ({ value, created: lost !== undefined });
  async function attempt(): Promise<FoundOrCreated<T>> {
    const found = await find();
    if (found !== undefined) return there(found);
    try {
      return { value: await create(), created: true };
    } catch (error) {
      signal.throwIfAborted();
      // Nobody knows whether it had its effect, or it had none and may have one later.
      if (isUnavailable(error)) lost = error;
      const other = hasStatus(error, ...duplicateStatuses) ? await find() : undefined;
      if (other === undefined) throw error;
      return there(other);
    }
  }
  try {
    const isTransient = (error: unknown): boolean => error === lost && !asksForTooLong(error);
    return await retry({
      policy: forgeRetryPolicy,
      clock,
      signal,
      attempt,
      isTransient,
      waitMs: (error, delayMs) => Math.max(askedMs(error) ?? 0, delayMs),
    });
  } catch (error) {
    signal.throwIfAborted();
    // The last word is whether it is there.
    const late = error === lost ? await find().catch(() => undefined) : undefined;
    if (late === undefined) throw error;
    return there(late);
  }
}
