/**
 * Whether `2.10.27` is `2.10.0`, or `2.19pre20231103_abcdef0` is `2.19`, or newer; false when the version is unknown.
 * Suffixes such as `-RC.1` and `pre…` are ignored.
 */
export function isAtLeast(version: string | undefined, wanted: string): boolean {
  const [is, want] = [numbers(version ?? "0"), numbers(wanted)];
  for (let i = 0; i < want.length; i++) {
    const difference = (is[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

const numbers = (version: string): number[] =>
  (/^\d+(?:\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
