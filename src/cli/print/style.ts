import { styleText } from "node:util";
import { safeLine, withoutCommand } from "../../base/terminal-text.ts";

/** Signs that every monospaced font has, and what stands for them in ASCII. */
const unicodeGlyphs = {
  success: "✓",
  failure: "✗",
  running: "▶",
  waiting: "·",
  unknown: "?",
  fault: "!",
  absent: "–",
  reboot: "↻",
  ellipsis: "…",
  separator: "·",
  average: "∅",
  selected: "›",
  barFull: "█",
  barEmpty: "░",
  blockTop: "┏━",
  blockSide: "┃",
  blockBottom: "┗━",
} as const;

export type Glyphs = Readonly<Record<keyof typeof unicodeGlyphs, string>>;

const asciiGlyphs: Glyphs = {
  success: "+",
  failure: "x",
  running: ">",
  waiting: ".",
  unknown: "?",
  fault: "!",
  absent: "-",
  reboot: "@",
  ellipsis: "~",
  separator: "-",
  average: "avg",
  selected: ">",
  barFull: "#",
  barEmpty: "-",
  blockTop: ",-",
  blockSide: "|",
  blockBottom: "`-",
};

/** How one stream is written to: whether it takes colours, and which characters. */
export interface Style {
  readonly glyphs: Glyphs;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  /** Foreign text as a part of a line of ours: one line without any control, tabs as spaces. */
  readonly clean: (foreign: string) => string;
  /** A line of foreign text that stands for itself, such as a line of a log: keeps its colours where we use some. */
  readonly log: (foreign: string) => string;
}

/** Almost everything is, and live views clean many names for each frame. */
const plainAscii = /^[\u0020-\u007e]*$/;

export interface StyleChoice {
  readonly colour: boolean;
  readonly ascii: boolean;
  /** A runner reads it, and obeys the workflow commands that it finds. */
  readonly inRunner?: boolean;
}

/** The decisions are `decideColour` and `decideAscii`; Node's own guess about the stream is turned off. */
export function createStyle({ colour, ascii, inRunner = false }: StyleChoice): Style {
  const paint =
    (format: Parameters<typeof styleText>[0]) =>
    (text: string): string =>
      colour && text !== "" ? styleText(format, text, { validateStream: false }) : text;
  const encodable = (text: string): string =>
    ascii ? text.replace(/[^\u0009\u001b\u0020-\u007e]/gu, "?") : text;
  const inert = inRunner ? withoutCommand : (text: string): string => text;
  return {
    glyphs: ascii ? asciiGlyphs : unicodeGlyphs,
    bold: paint("bold"),
    dim: paint("dim"),
    red: paint("red"),
    green: paint("green"),
    yellow: paint("yellow"),
    cyan: paint("cyan"),
    clean: (foreign) =>
      inert(
        plainAscii.test(foreign)
          ? foreign
          : encodable(safeLine(foreign.replace(/\r?\n/g, " "), false).replaceAll("\t", " ")),
      ),
    log: (foreign) => inert(encodable(safeLine(foreign, colour))),
  };
}

/** For files and pipes, and for tests. */
export const plainStyle: Style = createStyle({ colour: false, ascii: false });
