import { StringDecoder } from "node:string_decoder";

/** How a line that is longer than the limit continues in the next one. */
export const lineContinuation = "…";

/**
 * Cuts a byte stream into lines of bounded length, so that a program that never ends its line cannot fill our
 * memory. Invalid UTF-8 becomes U+FFFD; a `\r` before the `\n` goes; a longer line is given in pieces, each but
 * the last ending in `lineContinuation`.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #maxLength: number;
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(maxLength: number, onLine: (line: string) => void) {
    this.#maxLength = maxLength;
    this.#onLine = onLine;
  }

  write(chunk: Uint8Array): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** Gives the last line where the stream did not end with one. */
  end(): void {
    this.#take(this.#decoder.end());
    if (this.#rest !== "") this.#give(this.#rest);
    this.#rest = "";
  }

  #take(text: string): void {
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#give(this.#rest + text.slice(start, end));
      this.#rest = "";
      start = end + 1;
    }
    this.#rest += text.slice(start);
    while (this.#rest.length > this.#maxLength) {
      this.#onLine(this.#rest.slice(0, this.#maxLength) + lineContinuation);
      this.#rest = this.#rest.slice(this.#maxLength);
    }
  }

  #give(line: string): void {
    let rest = line.endsWith("\r") ? line.slice(0, -1) : line;
    while (rest.length > this.#maxLength) {
      this.#onLine(rest.slice(0, this.#maxLength) + lineContinuation);
      rest = rest.slice(this.#maxLength);
    }
    this.#onLine(rest);
  }
}

/** What a text of many lines says in short: its first line, with the next one where it only announces that: `Failed assertions:`. */
export function firstLine(text: string): string {
  const [first = "", ...rest] = text.split("\n");
  const next = first.endsWith(":") ? rest.find((line) => line.trim() !== "") : undefined;
  return next === undefined ? first : `${first} ${next.trim().replace(/^- /, "")}`;
}
