// Text from outside on its way into Markdown. It only ever goes into code, spans or blocks: there nothing is a link,
// an image, HTML, a mention or a reference that closes an issue, neither for CommonMark nor for the forges.
import { plainText } from "./terminal-text.ts";

/** Characters that have no look of their own: in them something could be hidden from people, and not from programs. */
const invisible = /[\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]/gu;

/** Lines as one sees them: without controls, colours, overwritten parts, turned directions and hidden characters. */
export const visibleText = (text: string): string =>
  // Most logs have nothing else, and they are long.
  ordinary.test(text) ? text : plainText(text.toWellFormed()).replaceAll(invisible, "");

const ordinary = /^[\t\n -~]*$/;

const visibleLine = (text: string, maxLength: number): string => {
  const line = visibleText(text).replaceAll(/\s+/g, " ").trim();
  return line.length > maxLength
    ? `${line
        .slice(0, maxLength - 1)
        .toWellFormed()
        .replace(/\ufffd$/, "")}…`
    : line;
};

/** One line of any text as code; also in the cell of a table. */
export function codeSpan(text: string, maxLength = 200): string {
  // Nothing protects a | in a table the same way everywhere.
  const line = visibleLine(text, maxLength).replaceAll("|", "¦");
  if (line === "") return "–";
  const fence = "`".repeat(longestRun(line) + 1);
  const padding = line.startsWith("`") || line.endsWith("`") ? " " : "";
  return `${fence}${padding}${line}${padding}${fence}`;
}

/** Lines of any text as one block of code, with line ends before and behind it. */
export function codeBlock(text: string): string {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}text\n${visibleText(text).replace(/\n$/, "")}\n${fence}`;
}

/** The text of a link is ours, and its URL was validated. */
export const link = (text: string, url: string): string => `[${text}](${url})`;

export const tableRow = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** @param numbers those of the titles whose columns are aligned to the right */
export const tableHead = (titles: readonly string[], numbers: readonly string[] = []): string =>
  `${tableRow(titles)}\n${tableRow(titles.map((title) => (numbers.includes(title) ? "---:" : "---")))}`;

/** The last lines that fit into so many bytes of UTF-8, whole ones where there are any. */
export function tailOf(text: string, maxLines: number, maxBytes: number): string {
  const lines = visibleText(text).replace(/\n+$/, "").split("\n").slice(-maxLines);
  let tail = "";
  for (const line of lines.toReversed()) {
    const longer = tail === "" ? line : `${line}\n${tail}`;
    if (Buffer.byteLength(longer) > maxBytes) break;
    tail = longer;
  }
  return tail === "" ? lastBytes(lines.at(-1) ?? "", maxBytes) : tail;
}

const lastBytes = (text: string, maxBytes: number): string =>
  Buffer.from(text)
    .subarray(-maxBytes)
    .toString()
    .replace(/^\ufffd+/, "");

const longestRun = (text: string): number =>
  Math.max(0, ...[...visibleText(text).matchAll(/`+/g)].map(([run]) => run.length));
