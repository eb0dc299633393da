// The logs of builds that run at the same time, put in order: each derivation's log together.
import { derivationName } from "../../../protocol/store-paths/derivation-name.ts";
import type { LogChunk } from "../../../protocol/log-chunk.ts";
import { onMachine } from "../../../words/machine-words.ts";
import { droppedLines, linesOfChunk } from "./log-lines.ts";

export interface LogGroup {
  /** `linux-6.18.4`, and that it is the rest of a log whose beginning was given before. */
  readonly title: string;
  /** The lines as they were received: not safe to print. */
  readonly lines: readonly string[];
}

interface Pending {
  readonly drvPath: string;
  machine: string | undefined;
  lines: string[];
  size: number;
  given: boolean;
  heardOf: boolean;
}

export interface LogGroups {
  add(chunk: LogChunk): LogGroup[];
  /** What was collected of one derivation. */
  take(drvPath: string): LogGroup[];
  /** Logs to which nothing was added since this was called last. */
  takeQuiet(): LogGroup[];
  takeAll(): LogGroup[];
}

/** Characters. When more is held, the longest log is given in parts: nothing is lost, and memory is bounded. */
const mostHeld = 4 * 1024 * 1024;

export function collectLogs(limit = mostHeld): LogGroups {
  const logs = new Map<number, Pending>();
  let held = 0;

  function give(pending: Pending): LogGroup[] {
    if (pending.lines.length === 0) return [];
    const { drvPath, machine, lines } = pending;
    const title = `${derivationName(drvPath)}${onMachine(machine)}${pending.given ? " (continued)" : ""}`;
    held -= pending.size;
    Object.assign(pending, { lines: [], size: 0, given: true });
    return [{ title, lines }];
  }
  const giveWhere = (fits: (pending: Pending) => boolean): LogGroup[] =>
    [...logs.values()].filter(fits).flatMap(give);

  return {
    add(chunk) {
      if (chunk.kind !== "live") return [];
      const pending = logs.get(chunk.log) ?? {
        drvPath: chunk.drvPath,
        machine: chunk.machine,
        lines: [],
        size: 0,
        given: false,
        heardOf: true,
      };
      logs.set(chunk.log, pending);
      // Tried again on another machine: what the first one printed is a group of its own.
      const before = pending.machine === chunk.machine ? [] : give(pending);
      pending.machine = chunk.machine;
      const lines = linesOfChunk(chunk);
      if (chunk.dropped > 0) lines.unshift(droppedLines(chunk.dropped));
      pending.lines.push(...lines);
      pending.size += chunk.text.length;
      pending.heardOf = true;
      held += chunk.text.length;
      const [longest] = held > limit ? [...logs.values()].toSorted((a, b) => b.size - a.size) : [];
      return longest === undefined ? before : [...before, ...give(longest)];
    },
    take: (drvPath) => giveWhere((pending) => pending.drvPath === drvPath),
    takeQuiet() {
      const quiet = giveWhere((pending) => !pending.heardOf);
      for (const pending of logs.values()) pending.heardOf = false;
      return quiet;
    },
    takeAll: () => giveWhere(() => true),
  };
}
