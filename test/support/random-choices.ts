// Choices of a random history: the same for the same seed.
import { createRandom } from "./simulated-lab.ts";

export interface Choices {
  chance(probability: number): boolean;
  /** A whole number from `least` to `most`. */
  count(least: number, most: number): number;
  pick<Item>(items: readonly Item[]): Item;
  /** So many of them, in their order. */
  some<Item>(items: readonly Item[], count: number): readonly Item[];
}

export function createChoices(seed: number): Choices {
  const random = createRandom(seed);
  const count = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
  return {
    chance: (probability) => random() < probability,
    count,
    pick(items) {
      const item = items[count(0, items.length - 1)];
      if (item === undefined) throw new RangeError("there is nothing to choose from");
      return item;
    },
    some(items, wanted) {
      const left = [...items.keys()];
      const taken = new Set<number>();
      while (taken.size < wanted && left.length > 0) {
        for (const index of left.splice(count(0, left.length - 1), 1)) taken.add(index);
      }
      return items.filter((_, index) => taken.has(index));
    },
  };
}
