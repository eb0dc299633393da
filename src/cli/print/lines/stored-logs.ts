// Logs that are stored, printed one chunk after the other or only their last lines. The text goes to standard
// output, and what it is to standard error, so that a log can be piped on its own.
import { derivationName } from "../../../protocol/store-paths/derivation-name.ts";
import { safeJson } from "../../../base/terminal-text.ts";
import type { LogChunk } from "../../../protocol/log-chunk.ts";
import { onMachine } from "../../../words/machine-words.ts";
import { droppedLines } from "./log-lines.ts";
import type { TextOutput } from "../renderer.ts";
import type { Style } from "../style.ts";
import { resumeCommands, stopCommands } from "./workflow-commands.ts";

export interface StoredLogsPrint {
  readonly out: TextOutput;
  readonly err: TextOutput;
  readonly outStyle: Style;
  readonly errStyle: Style;
  /** Where a runner reads standard output: it obeys no workflow commands in the logs. */
  readonly runnerToken?: string;
}

/** Takes chunks of several logs as they are stored: those of one log in order. */
export interface LogPrinter {
  chunk(chunk: LogChunk): void;
  end(): void;
}

export function createLogPrinter(print: StoredLogsPrint): LogPrinter {
  const { out, err, outStyle, errStyle, runnerToken } = print;
  let current: number | undefined;
  let currentMachine: string | undefined;
  let isLineOpen = false;
  return {
    chunk({ log, drvPath, machine, text, dropped }) {
      if (current === undefined && runnerToken !== undefined) out.write(`${stopCommands(runnerToken)}\n`);
      if (log !== current || machine !== currentMachine) {
        if (isLineOpen) out.write("\n");
        const title = `${derivationName(drvPath)}${onMachine(machine)}:`;
        err.write(`${errStyle.bold(errStyle.clean(title))}\n`);
      }
      current = log;
      currentMachine = machine;
      if (dropped > 0) err.write(`${errStyle.yellow(droppedLines(dropped))}\n`);
      isLineOpen = text !== "" && !text.endsWith("\n");
      out.write(safeText(text, outStyle));
    },
    end() {
      if (isLineOpen) out.write("\n");
      if (current !== undefined && runnerToken !== undefined) out.write(`${resumeCommands(runnerToken)}\n`);
    },
  };
}

/** Line by line; a line that is not complete continues in the next chunk. */
const safeText = (text: string, style: Style): string =>
  text
    .split("\n")
    .map((line) => style.log(line))
    .join("\n");

export const createJsonLogPrinter = (out: TextOutput): LogPrinter => ({
  chunk: (chunk) => void out.write(`${safeJson(chunk)}\n`),
  end() {},
});

/** Gives the last lines of each log to another printer, the logs in the order of their beginnings. */
export function lastLines(count: number, printer: LogPrinter): LogPrinter {
  const logs = new Map<number, { chunks: LogChunk[]; mostChunks: number }>();
  return {
    chunk(chunk) {
      const log = logs.get(chunk.log) ?? { chunks: [], mostChunks: 16 };
      logs.set(chunk.log, log);
      log.chunks.push(chunk);
      if (log.chunks.length <= log.mostChunks) return;
      log.chunks = lastOf(log.chunks, count);
      log.mostChunks = 2 * log.chunks.length + 16;
    },
    end() {
      for (const { chunks } of logs.values()) {
        for (const chunk of lastOf(chunks, count)) printer.chunk(chunk);
      }
      printer.end();
    },
  };
}

/** The end of a log from the beginning of its `count`th last line. */
function lastOf(chunks: readonly LogChunk[], count: number): LogChunk[] {
  const kept: LogChunk[] = [];
  let lines = 0;
  for (const [i, chunk] of chunks.entries().toArray().toReversed()) {
    let end = chunk.text.length;
    // The newline at the very end ends a line and begins none.
    if (i === chunks.length - 1 && chunk.text.endsWith("\n")) end--;
    while (end > 0) {
      end = chunk.text.lastIndexOf("\n", end - 1);
      if (end < 0) break;
      lines++;
      if (lines < count) continue;
      const text = chunk.text.slice(end + 1);
      return text === "" ? kept : [{ ...chunk, text, dropped: 0 }, ...kept];
    }
    kept.unshift(chunk);
  }
  return kept;
}
