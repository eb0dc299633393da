import type { Style } from "../style.ts";
import { cut, displayWidth, padEnd, padStart } from "../text-width.ts";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** Gives way first when the terminal is too narrow. */
  readonly flexible?: boolean;
  /** It stays as wide as this while it gives way. */
  readonly least?: number;
}

export interface Table {
  readonly columns: readonly Column[];
  /** Cells may be coloured; they are safe to print. */
  readonly rows: readonly (readonly string[])[];
}

export interface TablePrint {
  readonly style: Style;
  /** In columns of the terminal; undefined where nothing limits it, such as in a pipe. */
  readonly width?: number;
  readonly indent?: string;
}

const gap = "  ";
const narrowest = 6;

/**
 * Aligned lines under their titles, without a newline at the end of the last. Columns that hold nothing are left
 * out; flexible ones shrink until the lines fit, and what still does not fit is cut.
 */
export function renderTable(table: Table, { style, width, indent = "  " }: TablePrint): string[] {
  const { columns, rows } = withoutEmptyColumns(table);
  const natural = columns.map((column, i) =>
    Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row[i] ?? ""))),
  );
  const widths = width === undefined ? natural : shrunk(natural, columns, width - displayWidth(indent));
  const line = (cells: readonly string[]): string => {
    const padded = columns.map((column, i) => {
      const cell = cut(cells[i] ?? "", widths[i] ?? 0, style.glyphs.ellipsis);
      if (column.align === "right") return padStart(cell, widths[i] ?? 0);
      return i === columns.length - 1 ? cell : padEnd(cell, widths[i] ?? 0);
    });
    const text = `${indent}${padded.join(gap)}`.trimEnd();
    return width === undefined ? text : cut(text, width, style.glyphs.ellipsis);
  };
  return [style.dim(line(columns.map(({ title }) => title))), ...rows.map(line)];
}

function withoutEmptyColumns({ columns, rows }: Table): Table {
  const used = columns.map((_, i) => rows.some((row) => (row[i] ?? "") !== ""));
  return {
    columns: columns.filter((_, i) => used[i]),
    rows: rows.map((row) => row.filter((_, i) => used[i])),
  };
}

/** Takes what is too much from the flexible columns, from the last one first. */
function shrunk(natural: readonly number[], columns: readonly Column[], room: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1)) - room;
  for (let i = columns.length - 1; i >= 0 && excess > 0; i--) {
    const { flexible = false, least = narrowest } = columns[i] ?? {};
    if (!flexible) continue;
    const give = Math.min(excess, Math.max(0, (widths[i] ?? 0) - least));
    widths[i] = (widths[i] ?? 0) - give;
    excess -= give;
  }
  return widths;
}
