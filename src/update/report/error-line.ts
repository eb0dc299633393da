// The line of a log that says most likely what went wrong, for who reads one line only.

/** How compilers, build tools and test runners begin the line that matters. */
const telling = [
  /(?:^|[\s[(])(?:fatal )?error(?:\[\w+\])?: /i,
  /^(?:E|ERROR|FAILED|FATAL|FAIL)\b/,
  /\b(?:error|failed|failure|panicked|cannot|undefined reference|no such file|not found)\b/i,
] as const;
/** What they say when nothing failed. */
const harmless = /\b(?:0|no) (?:errors?|failures?|failed)\b/i;

/** Undefined for a log without any line. */
export function errorLine(log: string): string | undefined {
  const lines = log
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  for (const pattern of telling) {
    const found = lines.find((line) => pattern.test(line) && !harmless.test(line));
    if (found !== undefined) return found;
  }
  return lines.at(-1);
}
