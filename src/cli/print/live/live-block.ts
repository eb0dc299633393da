// A block of lines at the bottom of a terminal that is redrawn in place, with other lines scrolling by above it.
// The cursor rests on the empty line below the block: terminals do not reflow the line that the cursor is on, and
// what somebody types lands there and not in the block.
import type { TextOutput } from "../renderer.ts";
import { displayWidth } from "../text-width.ts";

// ECMA-48 and DEC private modes. Synchronized output (2026) makes a frame appear at once; terminals that do not
// know it ignore it. Without autowrap (7) a character that is wider than we think cannot break the block.
const csi = "\u001b[";
const beginFrame = `${csi}?2026h`;
const endFrame = `${csi}?2026l`;
const wrapOff = `${csi}?7l`;
const wrapOn = `${csi}?7h`;
const hideCursor = `${csi}?25l`;
const showCursor = `${csi}?25h`;
const eraseLine = `${csi}2K`;
const eraseRest = `${csi}K`;
const up = (rows: number): string => (rows > 0 ? `${csi}${rows}A` : "");
const down = (rows: number): string => (rows > 0 ? `${csi}${rows}B` : "");

export interface LiveBlock {
  /** Replaces the block; `above` are lines that stay, and that the terminal may wrap. One write. */
  draw(block: readonly string[], above?: readonly string[]): void;
  /** Takes the block away and gives the cursor back. */
  clear(): void;
  /** Leaves the block where it is and gives the cursor back. */
  release(): void;
}

/** The space for a block: one column and the cursor's row less than the terminal has. */
export function blockSize(output: TextOutput): { readonly width: number; readonly height: number } {
  const { columns, rows } = sizeOf(output);
  return { width: Math.max(1, columns - 1), height: Math.max(1, rows - 1) };
}

/** Some pseudo-terminals (serial lines, `script`) say that they have no columns. */
const sizeOf = ({ columns = 0, rows = 0 }: TextOutput): { columns: number; rows: number } => ({
  columns: columns > 0 ? columns : 80,
  rows: rows > 0 ? rows : 24,
});

export function createLiveBlock(output: TextOutput): LiveBlock {
  let drawn: readonly string[] = [];
  let drawnColumns = 0;
  let active = false;

  /** Rows that the block takes now: a narrower terminal has wrapped its lines. */
  const rowsOfDrawn = (): number => {
    const { columns } = sizeOf(output);
    if (columns === drawnColumns) return drawn.length;
    return drawn.reduce((rows, line) => rows + Math.max(1, Math.ceil(displayWidth(line) / columns)), 0);
  };
  const erased = (): string => {
    const rows = Math.min(rowsOfDrawn(), sizeOf(output).rows - 1);
    return `\r${eraseLine}${up(rows)}${`${eraseLine}${down(1)}`.repeat(rows)}${up(rows)}`;
  };
  const end = (text: string): void => {
    if (active) output.write(`${text}${showCursor}`);
    active = false;
    drawn = [];
  };

  return {
    draw(block, above = []) {
      const { columns, rows } = sizeOf(output);
      const fits = columns === drawnColumns && drawn.length < rows;
      const inPlace = active && above.length === 0 && fits;
      if (inPlace && sameLines(drawn, block)) return;
      const start = active ? "" : hideCursor;
      const body = inPlace
        ? `\r${eraseLine}${up(drawn.length)}${wrapOff}${changes(drawn, block)}${wrapOn}`
        : `${active ? erased() : ""}${lines(above)}${wrapOff}${lines(block)}${wrapOn}`;
      output.write(`${beginFrame}${start}${body}${endFrame}`);
      drawn = block;
      drawnColumns = columns;
      active = true;
    },
    clear() {
      end(active ? erased() : "");
    },
    release() {
      end("");
    },
  };
}

const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\r\n`).join("");

const sameLines = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((line, i) => line === b[i]);

/** From the block's first row to the row below its new last one, writing only what differs. */
function changes(before: readonly string[], after: readonly string[]): string {
  let text = "";
  let skipped = 0;
  for (const [i, line] of after.entries()) {
    if (line === before[i]) {
      skipped++;
      continue;
    }
    text += `${down(skipped)}${line}${eraseRest}\r\n`;
    skipped = 0;
  }
  text += down(skipped);
  const tooMany = before.length - after.length;
  return tooMany > 0 ? `${text}${`${eraseLine}${down(1)}`.repeat(tooMany)}${up(tooMany)}` : text;
}
