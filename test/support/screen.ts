// A terminal without a window: what a person would see of what was written to it.
import headless from "@xterm/headless";
import type { TextOutput } from "../../src/cli/print/renderer.ts";

export interface Screen extends TextOutput {
  readonly columns: number;
  readonly rows: number;
  /** Each write, as it came. */
  readonly writes: readonly string[];
  /** The lines on the screen without the empty ones at the end, after everything written so far. */
  visible(): Promise<string[]>;
  /** The same with everything that has scrolled out at the top. */
  everything(): Promise<string[]>;
  /** Whether the cursor is shown. */
  cursor(): Promise<{ readonly hidden: boolean; readonly row: number; readonly column: number }>;
  resize(columns: number, rows: number): Promise<void>;
}

export function createScreen(columns = 80, rows = 24): Screen {
  const terminal = new headless.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 5000 });
  const writes: string[] = [];
  const drained = (): Promise<void> => new Promise((resolve) => terminal.write("", resolve));
  const linesFrom = (first: number): string[] => {
    const { active } = terminal.buffer;
    const lines: string[] = [];
    for (let i = first; i < active.length; i++) lines.push(active.getLine(i)?.translateToString(true) ?? "");
    return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
  };
  return {
    isTTY: true,
    writes,
    get columns() {
      return terminal.cols;
    },
    get rows() {
      return terminal.rows;
    },
    write(text) {
      writes.push(text);
      // A terminal's line discipline (ONLCR).
      terminal.write(text.replace(/\r?\n/g, "\r\n"));
    },
    async visible() {
      await drained();
      return linesFrom(terminal.buffer.active.baseY);
    },
    async everything() {
      await drained();
      return linesFrom(0);
    },
    async cursor() {
      await drained();
      const lastSwitch = writes
        .join("")
        .match(/\u001b\[\?25[hl]/g)
        ?.at(-1);
      const { cursorX: column, cursorY: row } = terminal.buffer.active;
      return { hidden: lastSwitch === "\u001b[?25l", row, column };
    },
    async resize(newColumns, newRows) {
      await drained();
      terminal.resize(newColumns, newRows);
    },
  };
}
