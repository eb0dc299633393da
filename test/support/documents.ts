// What tests read out of the pages of the documentation.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** `README.md`, `docs/reference/errors.md` */
export const readPage = (file: string): string => readFileSync(join(root, file), "utf8");

/** The program's own sources as one text each, without tests. */
export const readSources = (): readonly { readonly file: string; readonly text: string }[] =>
  globSync("src/**/*.ts", { cwd: root, exclude: ["src/**/*.test.ts"] })
    .toSorted()
    .map((file) => ({ file, text: readPage(file) }));

/** From a heading to the next one of the same or a higher level; empty when there is none. */
export function sectionOf(page: string, heading: string): string {
  const lines = page.split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  const level = /^#+/.exec(lines[start] ?? "")?.[0].length ?? 0;
  const rest = start < 0 ? [] : lines.slice(start + 1);
  const end = rest.findIndex((line) => (/^#+(?= )/.exec(line)?.[0].length ?? Infinity) <= level);
  return rest.slice(0, end < 0 ? undefined : end).join("\n");
}

/** The rows of all tables, each as its cells, without headings and rules. */
export function tableRows(text: string): readonly (readonly string[])[] {
  const rows = text.split("\n").map((line) => (line.startsWith("|") ? cellsOf(line) : undefined));
  return rows.flatMap((cells, index) => {
    const isHeading = isRule(rows[index + 1]);
    return cells === undefined || isHeading || isRule(cells) ? [] : [cells];
  });
}

const cellsOf = (line: string): readonly string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
const isRule = (cells: readonly string[] | undefined): boolean =>
  cells !== undefined && cells.length > 0 && cells.every((cell) => /^:?-+:?$/.test(cell));

export interface CodeBlock {
  readonly language: string;
  /** What follows the language: `event` of ```` ```json event ````. */
  readonly kind: string;
  readonly text: string;
}

export const codeBlocks = (page: string): readonly CodeBlock[] =>
  [...page.matchAll(/^ *```(?<language>\w*)(?<kind>[^\n]*)\n(?<text>[\s\S]*?)^ *```$/gm)].map(
    ({ groups }) => ({
      language: groups?.["language"] ?? "",
      kind: groups?.["kind"]?.trim() ?? "",
      text: groups?.["text"] ?? "",
    }),
  );

/** The first code span of a cell: its text without the backticks. */
export const codeOf = (cell: string | undefined): string =>
  /`(?<text>[^`]+)`/.exec(cell ?? "")?.groups?.["text"] ?? "";
