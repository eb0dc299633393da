// A recording of a terminal as one SVG file, which plays by itself where a page shows it: no script, no font, no colour of
// the page around it. Lines that frames have in common are in it once.
import type { Terminal } from "@xterm/headless";
import { escapeText } from "../../src/dashboard/page/html.ts";

/** Cells of one line that look the same. */
export interface Run {
  readonly column: number;
  readonly text: string;
  readonly colour: string;
  readonly isBold: boolean;
  readonly isDim: boolean;
}

export type Line = readonly Run[];

export interface Frame {
  readonly lines: readonly Line[];
  readonly milliseconds: number;
}

const foreground = "#d0d7de";
/** The colours 0 to 15 of a terminal, readable on `background`. */
const palette = [
  ..."#6e7681 #ff7b72 #56d364 #e3b341 #79c0ff #d2a8ff #76e3ea #d0d7de".split(" "),
  ..."#8b949e #ffa198 #7ee787 #f2cc60 #a5d6ff #e2c5ff #b3f0ff #ffffff".split(" "),
];
const background = "#0d1117";
const cell = { width: 8.4, height: 19 } as const;
const padding = 16;
const titleHeight = 34;

/** What the terminal shows now. */
export function readLines({ buffer, rows }: Terminal): readonly Line[] {
  const { active } = buffer;
  return Array.from({ length: rows }, (_, row) => {
    const line = active.getLine(active.baseY + row);
    const runs: { -readonly [Key in keyof Run]: Run[Key] }[] = [];
    for (let column = 0; column < (line?.length ?? 0); column++) {
      const at = line?.getCell(column);
      const text = at?.getChars() ?? "";
      if (at === undefined || text === "") continue;
      const look = {
        colour: at.isFgPalette() ? (palette[at.getFgColor()] ?? foreground) : foreground,
        isBold: at.isBold() !== 0,
        isDim: at.isDim() !== 0,
      };
      const last = runs.at(-1);
      const isSame =
        last !== undefined &&
        last.column + cellsOf(last.text) === column &&
        (["colour", "isBold", "isDim"] as const).every((key) => last[key] === look[key]);
      if (isSame) last.text += text;
      else runs.push({ column, text, ...look });
    }
    return runs.filter(({ text }) => text.trim() !== "");
  });
}

export interface Recording {
  readonly columns: number;
  readonly rows: number;
  /** What was typed. */
  readonly title: string;
  /** Says in words what there is to see. */
  readonly description: string;
  readonly frames: readonly Frame[];
  /** The frame for whoever shows no movement. */
  readonly still: number;
}

export function terminalSvg({ columns, rows, title, description, frames, still }: Recording): string {
  const inner = { width: columns * cell.width, height: rows * cell.height };
  const width = Math.ceil(inner.width + 2 * padding);
  const height = Math.ceil(titleHeight + inner.height + padding);
  const known = new Map<string, string>();
  const screens = frames.map(({ lines }, index) => {
    const uses = lines.flatMap((line, row) => {
      if (line.length === 0) return [];
      const drawn = line.map(drawRun).join("");
      const id = known.get(drawn) ?? `l${known.size}`;
      known.set(drawn, id);
      return `<use href="#${id}" y="${index * inner.height + row * cell.height}"/>`;
    });
    return uses.join("");
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeText(description)}</title>`,
    `<style>${styleOf(frames, still, inner.height)}</style>`,
    `<defs>${[...known].map(([drawn, id]) => `<g id="${id}">${drawn}</g>`).join("\n")}</defs>`,
    `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8" fill="${background}" stroke="#30363d"/>`,
    ...["#ff5f57", "#febc2e", "#28c840"].map(
      (colour, index) => `<circle cx="${padding + 6 + 18 * index}" cy="17" r="5.5" fill="${colour}"/>`,
    ),
    `<text x="${width / 2}" y="22" text-anchor="middle" fill="#8b949e">${escapeText(title)}</text>`,
    `<svg x="${padding}" y="${titleHeight}" width="${inner.width}" height="${inner.height}">`,
    `<g class="film">${screens.join("\n")}</g></svg></svg>`,
  ].join("\n")}\n`;
}

/** Every character of our output takes one cell. */
const cellsOf = (text: string): number => Array.from(text).length;

const drawRun = ({ column, text, colour, isBold, isDim }: Run): string => {
  const look = `${isBold ? ' font-weight="bold"' : ""}${isDim ? ' opacity=".7"' : ""}`;
  // Whatever the font's own width is, columns stay below each other.
  const length = `textLength="${round(cellsOf(text) * cell.width)}" lengthAdjust="spacingAndGlyphs"`;
  return `<text x="${round(column * cell.width)}" y="14" ${length} fill="${colour}"${look}>${escapeText(text)}</text>`;
};

/** Frames are below each other, like those of a film, and one of them is in sight. */
function styleOf(frames: readonly Frame[], still: number, height: number): string {
  const total = frames.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  let at = 0;
  const stops = frames.map(({ milliseconds }, index) => {
    const stop = `${round((at / total) * 100)}%{transform:translateY(${-index * height}px)}`;
    at += milliseconds;
    return stop;
  });
  return [
    `text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;white-space:pre}`,
    `.film{transform:translateY(${-still * height}px);animation:film ${round(total / 1000)}s step-end infinite}`,
    `@media (prefers-reduced-motion:reduce){.film{animation:none}}`,
    `@keyframes film{${stops.join("")}}`,
  ].join("\n");
}

const round = (value: number): number => Math.round(value * 100) / 100;
