// What a gate's server said, on its way into a rollout's log and to people.
import { plainText } from "../../base/terminal-text.ts";
import { redact } from "../../redact/redact.ts";

const mostCharacters = 600;
/** A cut at the end must not leave the beginning of a secret. */
const mostRead = 8 * mostCharacters;

/** One line, without what acts on a terminal and without what looks like a secret. */
export function gateDetail(words: string): string {
  const line = redact(plainText(words.slice(0, mostRead)), [])
    .replace(/\s+/g, " ")
    .trim();
  return line.length > mostCharacters ? `${line.slice(0, mostCharacters).toWellFormed()}…` : line;
}
