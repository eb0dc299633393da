import type { BenchResult } from "./bench.ts";

/** The results under their titles; numbers of one column stand below each other. */
export function renderTable(results: readonly BenchResult[]): string {
  const rows = [titles, ...results.map(cellsOf)];
  const widths = titles.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          isNumber[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const titles = ["what", "ours", "baseline", "ratio", "goal", ""];
const isNumber = [false, true, true, true, true, false];

const cellsOf = ({ what, ours, baseline, ratio, goal }: BenchResult): readonly string[] => [
  what,
  ours,
  baseline ?? "",
  ratio === undefined ? "" : ratio.toFixed(ratio < 0.1 ? 3 : 2),
  goal?.text ?? "",
  goal === undefined ? "" : goal.met ? "ok" : "MISSED",
];
