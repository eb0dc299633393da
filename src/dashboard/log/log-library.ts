// Logs by line number. An index of every thousandth line is made while a log is read; later only the chunks behind the
// nearest mark are read again. The last chunks that were read are kept, because readers look around.
import type { FleetWatcher } from "../../bus/bus.ts";
import type { DeployReader } from "../../bus/deploy-bus.ts";
import type { LogChunk } from "../../protocol/log-chunk.ts";
import { formatBytes } from "../../words/duration.ts";
import { logKey, type LogName } from "./log-name.ts";

/** A line of a log, or what is said in the place of lines that were dropped. */
export type LogLine =
  /** `text` is its beginning; `length` that of the whole line. */
  | { readonly type: "line"; readonly number: number; readonly text: string; readonly length: number }
  | { readonly type: "dropped"; readonly before: number; readonly dropped: Dropped };

/** What was left out: builds count lines, activations count bytes. */
export interface Dropped {
  readonly count: number;
  readonly unit: "lines" | "bytes";
}

export interface LogWindow {
  readonly lines: readonly LogLine[];
  /** Lines that are stored now. */
  readonly total: number;
}

/** What the log of a derivation says about itself. */
export type LogHead = Pick<LogChunk, "drvPath" | "kind" | "hosts" | "machine">;

export interface LogPiece {
  readonly text: string;
  /** Right before it. */
  readonly dropped?: Dropped;
}

interface PlacedPiece extends LogPiece {
  readonly place: number;
  readonly head?: LogHead;
}

export interface LogLibrary {
  /** Undefined where nothing is stored of that log, and for what an activation printed. */
  head(name: LogName, signal: AbortSignal): Promise<LogHead | undefined>;
  total(name: LogName, signal: AbortSignal): Promise<number>;
  /** The number of the first line that reads like a failure. */
  firstFailure(name: LogName, signal: AbortSignal): Promise<number | undefined>;
  /** Lines `from` + 1 to `from` + `count`. */
  window(name: LogName, from: number, count: number, signal: AbortSignal): Promise<LogWindow>;
  /** Pieces of one line, all of it. */
  line(name: LogName, number: number, signal: AbortSignal): AsyncIterable<string>;
  /** Pieces of the text as it is stored. */
  pieces(name: LogName, signal: AbortSignal): AsyncIterable<LogPiece>;
}

export interface LogSources {
  readonly watcher: Pick<FleetWatcher, "readLog">;
  readonly deploy: Pick<DeployReader, "outputAfter">;
}

/** Where reading can begin: behind `after` in the stream, at the start of line `line` + 1. */
interface Mark {
  readonly line: number;
  readonly after: number;
}

interface Index {
  readonly marks: Mark[];
  lines: number;
  after: number;
  /** The last line has no newline yet. */
  isOpen: boolean;
  head: LogHead | undefined;
  /** Looking at every line takes time: only where somebody asks for it. */
  looksForFailure: boolean;
  firstFailure: number | undefined;
  extending: Promise<void> | undefined;
}

const markEvery = 1000;
/** Characters of a line that are given with others: lines of 10 MB are in logs as well. */
const mostOfLine = 16 * 1024;
const mostIndexes = 100;

const emptyIndex = (looksForFailure: boolean): Index => ({
  marks: [{ line: 0, after: 0 }],
  lines: 0,
  after: 0,
  isOpen: false,
  head: undefined,
  looksForFailure,
  firstFailure: undefined,
  extending: undefined,
});

export function createLogLibrary({ watcher, deploy }: LogSources): LogLibrary {
  const indexes = new Map<string, Index>();

  async function* read(name: LogName, after: number, signal: AbortSignal): AsyncGenerator<PlacedPiece> {
    if (name.type === "build") {
      for await (const { place, chunk } of watcher.readLog(name.build, name.log, after, signal)) {
        const { text, dropped, drvPath, kind, hosts, machine } = chunk;
        yield { place, text, dropped: droppedOf(dropped, "lines"), head: { drvPath, kind, hosts, machine } };
      }
      return;
    }
    for await (const { place, chunk } of deploy.outputAfter(name, name.order, after, signal)) {
      yield { place, text: chunk.text, dropped: droppedOf(chunk.dropped, "bytes") };
    }
  }

  function indexOf(name: LogName, looksForFailure: boolean): Index {
    const key = logKey(name);
    const known = indexes.get(key);
    const index =
      known !== undefined && (known.looksForFailure || !looksForFailure)
        ? known
        : emptyIndex(looksForFailure);
    indexes.delete(key);
    indexes.set(key, index);
    const [oldest] = indexes.keys();
    if (indexes.size > mostIndexes && oldest !== undefined) indexes.delete(oldest);
    return index;
  }

  /** Reads what is new. Several readers share one reading; it ends by itself. */
  async function extended(name: LogName, signal: AbortSignal, looksForFailure = false): Promise<Index> {
    const index = indexOf(name, looksForFailure);
    index.extending ??= extend(index, name).finally(() => {
      index.extending = undefined;
    });
    await index.extending;
    signal.throwIfAborted();
    return index;
  }

  async function extend(index: Index, name: LogName): Promise<void> {
    const patience = AbortSignal.timeout(60_000);
    for await (const { place, text, head } of read(name, index.after, patience)) {
      index.head ??= head;
      const last = index.marks.at(-1);
      // A mark must be at the start of a line.
      if (!index.isOpen && last !== undefined && index.lines - last.line >= markEvery) {
        index.marks.push({ line: index.lines, after: index.after });
      }
      if (index.looksForFailure)
        index.firstFailure ??= failureIn(text, index.isOpen ? index.lines : index.lines + 1);
      index.lines += countLines(text, index.isOpen);
      if (text !== "") index.isOpen = !text.endsWith("\n");
      index.after = place;
    }
  }

  return {
    async head(name, signal) {
      const index = indexOf(name, false);
      if (index.head !== undefined) return index.head;
      for await (const { head } of read(name, 0, signal)) {
        index.head = head;
        break;
      }
      return index.head;
    },
    total: async (name, signal) => (await extended(name, signal)).lines,
    firstFailure: async (name, signal) => (await extended(name, signal, true)).firstFailure,
    async window(name, from, count, signal) {
      const index = await extended(name, signal);
      const mark = index.marks.findLast(({ line }) => line <= from) ?? { line: 0, after: 0 };
      const lines: LogLine[] = [];
      let number = mark.line;
      let open = { text: "", length: 0 };
      for await (const { text, dropped } of read(name, mark.after, signal)) {
        if (dropped !== undefined && number >= from) {
          lines.push({ type: "dropped", before: number + 1, dropped });
        }
        for (const [place, piece] of text.split("\n").entries()) {
          if (place > 0) {
            number++;
            if (number > from && number <= from + count) lines.push({ type: "line", number, ...open });
            open = { text: "", length: 0 };
          }
          const room = mostOfLine - open.text.length;
          open = { text: open.text + piece.slice(0, room), length: open.length + piece.length };
        }
        if (number >= from + count) break;
      }
      if (open.length > 0 && number >= from && number < from + count) {
        lines.push({ type: "line", number: number + 1, ...open });
      }
      return { lines, total: index.lines };
    },
    async *line(name, wanted, signal) {
      const index = await extended(name, signal);
      const mark = index.marks.findLast(({ line }) => line < wanted) ?? { line: 0, after: 0 };
      let number = mark.line + 1;
      for await (const { text } of read(name, mark.after, signal)) {
        for (const [place, piece] of text.split("\n").entries()) {
          if (place > 0) number++;
          if (number === wanted && piece !== "") yield piece;
        }
        if (number > wanted) return;
      }
    },
    async *pieces(name, signal) {
      for await (const { text, dropped } of read(name, 0, signal)) yield { text, dropped };
    },
  };
}

const droppedOf = (count: number | undefined, unit: Dropped["unit"]): Dropped | undefined =>
  count === undefined || count === 0 ? undefined : { count, unit };

export const droppedText = ({ count, unit }: Dropped): string =>
  unit === "bytes"
    ? `${formatBytes(count)} ${count === 1 ? "was" : "were"} left out here: the output was too long`
    : `${count.toLocaleString("en")} ${count === 1 ? "line was" : "lines were"} dropped here: they came faster than they could be stored`;

// How compilers, test runners and make say that something failed. A colour may stand before the word.
const failure =
  /(?:\b|\u001b\[[\d;]{0,16}m)(?:(?:[Ee]rror|ERROR)(?:\[\w{1,16}\])?:|FAIL(?:ED)?\b|panic(?:ked at|:)|Traceback \(most|undefined reference to)|\*\*\* \[/;

/** @param number of the line in which the text begins */
function failureIn(text: string, number: number): number | undefined {
  const found = failure.exec(text);
  return found === null ? undefined : number + countNewlines(text.slice(0, found.index));
}

function countNewlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** Lines that begin in this text. */
function countLines(text: string, continues: boolean): number {
  if (text === "") return 0;
  const count = countNewlines(text) + (text.endsWith("\n") ? 0 : 1);
  return continues ? count - 1 : count;
}
