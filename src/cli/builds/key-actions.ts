// What the keys of the live view do.
import { messageOf } from "../../base/errors.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { BuildId } from "../../protocol/names.ts";
import type { LogChunk } from "../../protocol/log-chunk.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import { lastLines } from "../print/lines/stored-logs.ts";
import { linesOfChunk } from "../print/lines/log-lines.ts";
import type { BuildRenderer } from "../print/renderer.ts";
import { readHostsOfLogs } from "./print-logs.ts";
import { explainNoLogs, selectLogs } from "./select-logs.ts";
import { keyHelp, type Key } from "./watch-keys.ts";

/** The number of shown lines of each derivation's log. */
const shownLines = 15;
/** After the first `c`, the time for a second one: a slip of a finger must not end hours of work. */
const secondCancelMs = 2000;

export interface KeyParts {
  readonly reader: BuildReader;
  readonly renderer: BuildRenderer;
  readonly id: BuildId;
  readonly state: () => BuildState;
  readonly now: () => number;
  readonly cancel: () => Promise<void>;
  readonly detach: () => void;
  /** The terminal does not send it while it gives us keys. */
  readonly raise: (signal: "SIGINT" | "SIGTSTP") => void;
  readonly signal: AbortSignal;
}

export function createKeyActions(parts: KeyParts): (key: Key) => void {
  const { renderer, id, now } = parts;
  let cancelAskedAt: number | undefined;
  let isReading = false;

  function cancel(): void {
    if (cancelAskedAt === undefined || now() - cancelAskedAt > secondCancelMs) {
      cancelAskedAt = now();
      renderer.notice(`c again cancels build ${id}.`);
      return;
    }
    cancelAskedAt = undefined;
    renderer.notice(`Cancelling build ${id}.`);
    parts.cancel().catch((error: unknown) => renderer.notice(messageOf(error)));
  }

  function showLog(): void {
    const host = renderer.terminal?.selected();
    if (host === undefined) return renderer.notice("No host is selected: the arrow keys select one.");
    if (isReading) return undefined;
    isReading = true;
    readLog(parts, host)
      .catch((error: unknown) => [messageOf(error)])
      .then((lines) => {
        for (const line of lines) renderer.notice(line);
        isReading = false;
        return undefined;
      })
      .catch(() => undefined);
    return undefined;
  }

  return (key) => {
    switch (key) {
      case "up":
        return renderer.terminal?.select(-1);
      case "down":
        return renderer.terminal?.select(1);
      case "log":
        return showLog();
      case "cancel":
        return cancel();
      case "help":
        for (const line of keyHelp) renderer.notice(line);
        return undefined;
      case "detach":
        return parts.detach();
      case "interrupt":
        return parts.raise("SIGINT");
      case "suspend":
        return parts.raise("SIGTSTP");
    }
  };
}

/** The end of each log of what is built for a host. */
async function readLog({ reader, id, state, signal }: KeyParts, host: string): Promise<readonly string[]> {
  const selection = { host };
  const isSelected = selectLogs(state(), selection, await readHostsOfLogs(reader, id, signal));
  const lines: string[] = [];
  let current: number | undefined;
  const printer = lastLines(shownLines, {
    chunk(chunk: LogChunk) {
      if (chunk.log !== current) lines.push(`${derivationName(chunk.drvPath)}:`);
      current = chunk.log;
      lines.push(...linesOfChunk(chunk).map((line) => `  ${line}`));
    },
    end() {},
  });
  for await (const chunk of reader.readLogs(id, signal)) {
    if (isSelected(chunk) && chunk.text !== "") printer.chunk(chunk);
  }
  printer.end();
  return lines.length === 0 ? [explainNoLogs(state(), selection)] : lines;
}
