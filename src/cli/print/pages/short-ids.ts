import type { BuildId } from "../../../protocol/names.ts";

/**
 * The first ten characters of a ULID are its time in milliseconds (https://github.com/ulid/spec): builds differ in
 * them unless they were asked for in the same one.
 */
const shortest = 10;

/** The beginning of an id that none of the others has. */
export function shortId(id: BuildId, all: readonly BuildId[]): string {
  const others = all.filter((other) => other !== id && other.startsWith(id.slice(0, shortest)));
  let length = shortest;
  while (others.some((other) => other.startsWith(id.slice(0, length)))) length++;
  return id.slice(0, length);
}
