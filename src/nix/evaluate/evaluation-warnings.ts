// What an evaluator warns of, by host: `config.warnings`, `lib.warn`, `builtins.warn` and `builtins.trace`.
import { plainText } from "../../base/terminal-text.ts";

const mostWarnings = 100;
const longestWarning = 2_000;

/** Plain text, each once, at most 100 of at most 2,000 characters, and how many more there were. */
export function boundedWarnings(texts: Iterable<string>): readonly string[] {
  const distinct = new Set<string>();
  for (const text of texts) {
    distinct.add(
      plainText(text.slice(0, longestWarning))
        .trim()
        .replace(/^(?:evaluation )?warning: /, ""),
    );
  }
  const [first, more] = [[...distinct].slice(0, mostWarnings), distinct.size - mostWarnings];
  return more > 0 ? [...first, `and ${more} more warnings`] : first;
}
