import { appendFile } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory } from "./make-directory.ts";
import { jsonOrNothing } from "../json.ts";
import { readIfSmall } from "./read-bounded.ts";

/** An append-only file of JSON lines that may be lost: a cache. */
export interface LineJournal {
  /** What could be read when it was opened, in the order of writing; a line that is not JSON is left out. */
  readonly values: readonly unknown[];
  /** Written soon after, in order. */
  append(value: object): void;
}

/**
 * Opens a journal. A missing file is created with the first line, and one above 64 MiB is not read. A crash
 * can tear only the last line, and the next one starts on a line of its own.
 *
 * @param onError is told when a write fails; its lines are then lost for the next start
 */
export async function openLineJournal(path: string, onError: (error: unknown) => void): Promise<LineJournal> {
  const text = await readIfSmall(path);
  let atLineStart = text === "" || text.endsWith("\n");
  let waiting: string[] = [];
  let isWriting = false;

  async function write(): Promise<void> {
    isWriting = true;
    while (waiting.length > 0) {
      const lines = waiting.join("");
      waiting = [];
      try {
        await makeDirectory(dirname(path), { mode: 0o700 });
        await appendFile(path, atLineStart ? lines : `\n${lines}`, { mode: 0o600 });
        atLineStart = true;
      } catch (error) {
        atLineStart = false;
        onError(error);
      }
    }
    isWriting = false;
  }

  return {
    values: text
      .split("\n")
      .map(jsonOrNothing)
      .filter((value) => value !== undefined),
    append(value) {
      waiting.push(`${JSON.stringify(value)}\n`);
      if (!isWriting) void write();
    },
  };
}
