/** Whether a version such as `2.8.0` or `2.19pre20231103_abcdef0` is this one or newer. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ours = 0, ourMinor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return ours > major || (ours === major && ourMinor >= minor);
}
