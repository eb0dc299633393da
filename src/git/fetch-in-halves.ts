/** Branches that are fetched together, and fail together. */
export interface Attempts<Item, Failure> {
  /** Gives why it failed; nothing when all of them are there. */
  attempt(items: readonly Item[]): Promise<Failure | undefined>;
  /** It took too long: halves of it may as well, so each is tried alone. */
  isTooMuch(failure: Failure): boolean;
  /** One that fails alone. May throw, and ends everything with it. */
  onFailed(item: Item, failure: Failure): Promise<void>;
  /** Whether no more are wanted. One that is found to be bad is still tried, so that it is known. */
  isOver(): Promise<boolean>;
}

/**
 * Tries all together, and what fails in halves: one bad item among n costs about 2 log n attempts, where one by one
 * would cost n. First come, first tried. Gives the items that were not tried, because it was over before.
 */
export async function fetchInHalves<Item, Failure>(
  all: readonly Item[],
  { attempt, isTooMuch, onFailed, isOver }: Attempts<Item, Failure>,
): Promise<readonly Item[]> {
  const untried: Item[] = [];

  /** @returns whether all were fetched */
  async function narrow(items: readonly Item[], isKnownToFail: boolean): Promise<boolean> {
    const [first] = items;
    if (first === undefined) return true;
    const isFound = isKnownToFail && items.length === 1;
    if (!isFound && (await isOver())) {
      untried.push(...items);
      return false;
    }
    if (isFound || !isKnownToFail) {
      const failure = await attempt(items);
      if (failure === undefined) return true;
      if (items.length === 1) {
        await onFailed(first, failure);
        return false;
      }
      if (isTooMuch(failure)) {
        for (const item of items) await narrow([item], false);
        return false;
      }
    }
    const middle = Math.ceil(items.length / 2);
    const isFirstHalfGood = await narrow(items.slice(0, middle), false);
    // Together they failed, so it is the other half that holds what fails.
    await narrow(items.slice(middle), isFirstHalfGood);
    return false;
  }

  await narrow(all, false);
  return untried;
}
