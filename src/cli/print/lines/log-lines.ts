import { derivationName } from "../../../protocol/store-paths/derivation-name.ts";
import type { LogChunk } from "../../../protocol/log-chunk.ts";
import type { Style } from "../style.ts";

/** The lines of a chunk. */
export function linesOfChunk({ text }: LogChunk): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

export const droppedLines = (count: number): string =>
  count === 1 ? "1 line was dropped here" : `${count} lines were dropped here`;

/**
 * `linux-6.18.4> …` for each line, as Nix prints the logs of several builds, safe to print. Only what came live: the full log of
 * a failed derivation says the same again.
 */
export function prefixedLog(chunk: LogChunk, style: Style): string[] {
  if (chunk.kind !== "live") return [];
  const prefix = style.dim(`${style.clean(derivationName(chunk.drvPath))}>`);
  return [
    ...(chunk.dropped > 0 ? [`${prefix} ${style.yellow(droppedLines(chunk.dropped))}`] : []),
    ...linesOfChunk(chunk).map((line) => `${prefix} ${style.log(line)}`),
  ];
}
