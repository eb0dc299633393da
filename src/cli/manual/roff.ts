// The little of man(7) that our manual pages need. Pure.

/** Text as it is: nothing in it is taken for a command of roff, and hyphens can be copied as such. */
export function roffText(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/[^\n\u0020-\u007e]/gu, unicode);
  return escaped.replaceAll(/^[.']/gm, "\\&$&");
}

const unicode = (char: string): string =>
  `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`;

/** Text in which `code` stands in backticks, as in our descriptions: bold. */
export const roffMarkdown = (text: string): string =>
  text
    .split("`")
    .map((part, index) => (index % 2 === 0 ? roffText(part) : `\\fB${roffText(part)}\\fR`))
    .join("");

/** An argument of a macro, which is one word only in quotes. */
const argument = (text: string): string => `"${text.replaceAll('"', "\\(dq")}"`;

export const title = (name: string, section: number, source: string): string =>
  `.TH ${argument(roffText(name.toUpperCase()))} ${section} "" ${argument(roffText(source))}`;
export const heading = (text: string): string => `.SH ${argument(roffText(text))}`;
export const subheading = (text: string): string => `.SS ${argument(roffText(text))}`;

/** A term and, indented below it, what it means. */
export const definition = (term: string, meaning: string): string =>
  `.TP\n\\fB${roffText(term)}\\fR\n${roffMarkdown(meaning)}`;

/** Lines that stay as they are. */
export const verbatim = (text: string): string => `.nf\n${roffText(text.trim())}\n.fi`;

export const page = (...lines: readonly string[]): string => `${lines.join("\n")}\n`;
