// How wide text is on a terminal, and cutting it there. Text may hold SGR sequences (colours), which have no
// width, and no other control.

const sgr = /\u001b\[[0-9;:]*m/g;
const sgrOrText = /\u001b\[[0-9;:]*m|[^\u001b]+|\u001b/g;
/** ASCII, Latin letters, punctuation, bars and our own signs: one column each, without asking the segmenter. */
const narrow =
  /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u21bb\u2205\u2500-\u259f\u25b6\u2713\u2717]*$/;

/** Made when it is first needed: it takes 10 ms, and most text is ASCII. */
let segmenter: Intl.Segmenter | undefined;
const graphemes = (text: string): Intl.Segments =>
  (segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" })).segment(text);

/** In columns. */
export function displayWidth(text: string): number {
  if (narrow.test(text)) return text.length;
  const bare = text.replace(sgr, "");
  if (narrow.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of graphemes(bare)) width += graphemeWidth(segment);
  return width;
}

/** At most `width` columns of the text; what was cut ends in `ellipsis`. Colours end where the text ends. */
export function cut(text: string, width: number, ellipsis: string): string {
  if (displayWidth(text) <= width) return text;
  const mark = displayWidth(ellipsis) <= width ? ellipsis : "";
  const room = Math.max(0, width - displayWidth(mark));
  let kept = "";
  let used = 0;
  let coloured = false;
  for (const [piece] of text.matchAll(sgrOrText)) {
    if (piece.startsWith("\u001b")) {
      kept += piece;
      coloured = true;
      continue;
    }
    for (const { segment } of graphemes(piece)) {
      const next = used + graphemeWidth(segment);
      if (next > room) return `${kept}${mark}${coloured ? "\u001b[0m" : ""}`;
      kept += segment;
      used = next;
    }
  }
  return kept;
}

/** Lines of whole words that fit, at most so many: the last one may be longer, to be cut. Plain text. */
export function wrapped(text: string, width: number, most: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && lines.length + 1 < most && displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** Spaces after the text up to `width` columns. */
export const padEnd = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - displayWidth(text)));

/** Spaces before the text up to `width` columns. */
export const padStart = (text: string, width: number): string =>
  " ".repeat(Math.max(0, width - displayWidth(text))) + text;

/** Code points without a column of their own: combining marks, joiners, variation selectors and other formats. */
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}\p{Variation_Selector}]+$/u;
const emoji = /\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|\p{Regional_Indicator}/u;

function graphemeWidth(grapheme: string): number {
  if (grapheme.length === 1 && grapheme >= " " && grapheme <= "~") return 1;
  if (zeroWidth.test(grapheme)) return 0;
  if (emoji.test(grapheme)) return 2;
  return isWide(grapheme.codePointAt(0) ?? 0) ? 2 : 1;
}

/** First and last of the East Asian blocks whose characters take two columns (Unicode's EastAsianWidth.txt, W and F). */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6b],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
];

const isWide = (codePoint: number): boolean =>
  wideRanges.some(([first, last]) => codePoint >= first && codePoint <= last);
