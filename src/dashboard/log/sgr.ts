// A line of a log as pieces with classes: colours and weights (ECMA-48 SGR) act, and nothing else does. Every other
// sequence is shown as `␛`, so that nobody can hide that it is there.

export interface Piece {
  readonly text: string;
  /** The classes of style.css, space separated; empty for plain text. */
  readonly classes: string;
}

interface Look {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  inverse: boolean;
  /** 0 to 15. */
  colour: number | undefined;
  background: number | undefined;
}

const plain = (): Look => ({
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
  colour: undefined,
  background: undefined,
});

const sequence =
  /(?:\u001b\[|\u009b)(?<parameters>[0-?]*)[ -/]*(?<final>[@-~])?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;

/** Longer lines are cut. */
export const longestLine = 4096;

/** No terminal needs more of them in one sequence. */
const mostParameters = 64;
/** Pieces of a line: what has more is text without colours from there on. */
const mostPieces = 500;

/** @param line without its newline; what a program overwrote with `\r` is left out, as on a terminal */
export function parseSgr(line: string): readonly Piece[] {
  const text = lastState(line);
  if (!/[\u001b\u0080-\u009f]/.test(text)) return text === "" ? [] : [{ text, classes: "" }];
  const pieces: Piece[] = [];
  const look = plain();
  let classes = "";
  let end = 0;
  const add = (more: string): void => {
    if (more === "") return;
    const last = pieces.at(-1);
    if (last !== undefined && (last.classes === classes || pieces.length >= mostPieces)) {
      pieces[pieces.length - 1] = { text: last.text + more, classes: last.classes };
    } else pieces.push({ text: more, classes });
  };
  for (const match of text.matchAll(sequence)) {
    add(text.slice(end, match.index));
    end = match.index + match[0].length;
    const { parameters = "", final } = match.groups ?? {};
    if (final === "m" && /^[0-9;:]*$/.test(parameters)) {
      applyParameters(look, parameters);
      classes = classesOf(look);
    } else add("␛");
  }
  add(text.slice(end));
  return pieces;
}

/** The text alone, as it is searched and copied. */
export const plainLine = (line: string): string =>
  /[\u001b\u0080-\u009f\r]/.test(line)
    ? parseSgr(line)
        .map(({ text }) => text)
        .join("")
    : line;

function lastState(line: string): string {
  const trimmed = line.endsWith("\r") ? line.slice(0, -1) : line;
  return trimmed.slice(trimmed.lastIndexOf("\r") + 1);
}

function applyParameters(look: Look, parameters: string): void {
  const codes = parameters.split(/[;:]/, mostParameters).map((code) => (code === "" ? 0 : Number(code)));
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const { colour, used } = extendedColour(codes, at + 1);
      if (code === 38) look.colour = colour;
      else look.background = colour;
      at += used;
    } else applyCode(look, code);
  }
}

function applyCode(look: Look, code: number): void {
  if (code === 0) Object.assign(look, plain());
  else if (code === 1) look.bold = true;
  else if (code === 2) look.dim = true;
  else if (code === 3) look.italic = true;
  else if (code === 4) look.underline = true;
  else if (code === 7) look.inverse = true;
  else if (code === 22) Object.assign(look, { bold: false, dim: false });
  else if (code === 23) look.italic = false;
  else if (code === 24) look.underline = false;
  else if (code === 27) look.inverse = false;
  else if (code >= 30 && code <= 37) look.colour = code - 30;
  else if (code === 39) look.colour = undefined;
  else if (code >= 40 && code <= 47) look.background = code - 40;
  else if (code === 49) look.background = undefined;
  else if (code >= 90 && code <= 97) look.colour = code - 82;
  else if (code >= 100 && code <= 107) look.background = code - 92;
}

/** `5;n` of the 256 colours, or `2;r;g;b`. An incomplete sequence is not a colour. */
function extendedColour(codes: readonly number[], at: number): { colour: number | undefined; used: number } {
  const [kind, first = -1, second = -1, third = -1] = codes.slice(at, at + 4);
  if (kind === 5) return { colour: first < 0 || first > 255 ? undefined : nearestOf256(first), used: 2 };
  if (kind !== 2) return { colour: undefined, used: 0 };
  const isColour = [first, second, third].every((part) => part >= 0 && part <= 255);
  return { colour: isColour ? nearest(first, second, third) : undefined, used: 4 };
}

function nearestOf256(index: number): number {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return nearest(grey, grey, grey);
  }
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

// The 16 colours as terminals have them (xterm). The page's own have the same hues with enough contrast in each theme.
const palette: readonly (readonly [number, number, number])[] = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
];

function nearest(red: number, green: number, blue: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  palette.forEach(([r, g, b], index) => {
    const distance = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}

/** On a background the text has the page's own colour: no pair of colours could be trusted to be readable. */
function classesOf(look: Look): string {
  const background = look.inverse ? (look.colour ?? 7) : look.background;
  const colour = look.inverse || background !== undefined ? undefined : look.colour;
  return [
    look.bold && "sb",
    look.dim && "sd",
    look.italic && "si",
    look.underline && "su",
    colour !== undefined && `c${colour}`,
    background !== undefined && `b${background}`,
  ]
    .filter((name) => name !== false)
    .join(" ");
}
