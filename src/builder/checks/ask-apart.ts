// One question about many hosts costs one Nix process, and fails for all of them together. It does not condemn them
// together: when it fails, it is asked again about each.
import type { Clock } from "../../base/clock.ts";
import { HomelabError, isBug } from "../../base/errors.ts";

/** A store that takes this long to refuse an answer about one item is at fault itself. */
const patienceMs = 5_000;

/** What the question still failed for, by the reason. */
export interface FailedQuestion<Item> {
  readonly items: readonly Item[];
  readonly error: HomelabError;
}

/**
 * Asks about all items at once and, when that fails with a HomelabError, about each alone. When one of these takes
 * too long to fail, the others fail with it: otherwise an outage would be waited for once for each.
 *
 * @throws whatever else `ask` throws, and the signal's reason
 */
export async function askApart<Item>(
  items: readonly Item[],
  ask: (items: readonly Item[]) => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly FailedQuestion<Item>[]> {
  const refused = async (asked: readonly Item[]): Promise<HomelabError | undefined> => {
    try {
      await ask(asked);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HomelabError && !isBug(error)) return error;
      throw error;
    }
  };

  const together = await refused(items);
  if (together === undefined) return [];
  if (items.length === 1) return [{ items, error: together }];
  const failed = new Map<string, { items: Item[]; error: HomelabError }>();
  const fail = (some: readonly Item[], error: HomelabError): void => {
    const same = failed.get(error.message);
    if (same === undefined) failed.set(error.message, { items: [...some], error });
    else same.items.push(...some);
  };
  for (const [index, item] of items.entries()) {
    const askedAt = clock.monotonic();
    const error = await refused([item]);
    if (error === undefined) continue;
    const isAway = clock.monotonic() - askedAt > patienceMs;
    fail(isAway ? items.slice(index) : [item], error);
    if (isAway) break;
  }
  return [...failed.values()];
}
