/**
 * The first ten characters of a ULID are its time in milliseconds (https://github.com/ulid/spec): what was asked for at
 * different times differs in them.
 */
const shortest = 10;

/** The beginning of an id that none of the others has. */
export function shortId(id: string, all: readonly string[]): string {
  const others = all.filter((other) => other !== id && other.startsWith(id.slice(0, shortest)));
  let length = shortest;
  while (others.some((other) => other.startsWith(id.slice(0, length)))) length++;
  return id.slice(0, length);
}
