/**
 * Whether `2.10.27` is `2.10.0`, or `2.19pre20231103_abcdef0` is `2.19`, or newer; false when the version is unknown.
 * Suffixes such as `-RC.1` and `pre…` are ignored.
 */
export const isAtLeast = (version: string | undefined, wanted: string): boolean =>
  compareVersions(version ?? "0", wanted) >= 0;

/** Less than 0 when the first is older, by the numbers alone: those that are missing, or all of them, are 0. */
export function compareVersions(one: string, other: string): number {
  const [numbers, others] = [numbersOf(one), numbersOf(other)];
  for (let i = 0; i < Math.max(numbers.length, others.length); i++) {
    const difference = (numbers[i] ?? 0) - (others[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Words may stand before them: `git version 2.47.0`. */
const numbersOf = (version: string): number[] =>
  (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
