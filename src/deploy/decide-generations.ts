// Which generations of the system profile go before another is made, so that `/boot` does not fill up.
import type { GenerationInfo } from "../host/system.ts";
import type { StorePath } from "../protocol/names.ts";

export interface GenerationsQuestion {
  readonly generations: readonly GenerationInfo[];
  /** How many of the newest generations stay. */
  readonly keep: number;
  /** Systems of which the newest generation stays: running, booted, permanent, and possible rollback targets. */
  readonly needed: readonly (StorePath | undefined)[];
  /** Numbers that a person holds. */
  readonly held: readonly number[];
}

export function decideGenerations({
  generations,
  keep,
  needed,
  held,
}: GenerationsQuestion): readonly number[] {
  const newestFirst = generations.toSorted((a, b) => b.generation - a.generation);
  const stay = new Set(newestFirst.slice(0, keep).map(({ generation }) => generation));
  for (const path of needed) {
    const newest = newestFirst.find((generation) => generation.path === path);
    if (newest !== undefined) stay.add(newest.generation);
  }
  return newestFirst
    .map(({ generation }) => generation)
    .filter((generation) => !stay.has(generation) && !held.includes(generation))
    .toReversed();
}
