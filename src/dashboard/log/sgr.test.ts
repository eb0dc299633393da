import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSgr, plainLine } from "./sgr.ts";

const shown = (line: string): string =>
  parseSgr(line)
    .map(({ text, classes }) => (classes === "" ? text : `{${classes}|${text}}`))
    .join("");

test.each([
  ["plain", "plain"],
  ["\u001b[31mred\u001b[0m not", "{c1|red} not"],
  ["\u001b[1;4;92mbold\u001b[22m less\u001b[m", "{sb su c10|bold}{su c10| less}"],
  ["\u001b[41mon red\u001b[49m", "{b1|on red}"],
  ["\u001b[31;42mno pair of colours", "{b2|no pair of colours}"],
  ["\u001b[7mturned", "{b7|turned}"],
  ["\u001b[38;5;9mof 16", "{c9|of 16}"],
  ["\u001b[38;5;46mof 256", "{c10|of 256}"],
  ["\u001b[38;5;232mgrey", "{c0|grey}"],
  ["\u001b[38;2;250;10;10mtrue", "{c9|true}"],
  ["\u001b[38:2:0:0:255mwith colons", "{c4|with colons}"],
  ["\u001b[38;5;999mno such", "no such"],
  ["\u001b[38;2;1mcut short", "cut short"],
  ["\u009b32mC1", "{c2|C1}"],
  ["\u001b]0;title\u0007after", "␛after"],
  ["\u001b]52;c;aGk=\u001b\\after", "␛after"],
  ["\u001b[2Jcursor\u001b[10;10H", "␛cursor␛"],
  ["\u001bMscroll", "␛scroll"],
  ["half\u001b[", "half␛"],
  ["10 %\r50 %\r100 %", "100 %"],
  ["windows\r", "windows"],
])("%j is shown as %s", (line, expected) => {
  expect(shown(line)).toBe(expected);
});

test("whatever a log has in it, no control is left, and the text is that of the pieces", () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom("\u001b", "[", "]", "3", "1", ";", "m", "x", "\u009b", "\u0007", "\\", "\r"),
        maxLength: 40,
      }),
      (line) => {
        const text = parseSgr(line)
          .map((piece) => piece.text)
          .join("");
        expect(text).not.toMatch(/[\u001b\u009b\r]/);
        expect(plainLine(line)).toBe(text);
      },
    ),
  );
});

test("a line that changes its colours forever has few pieces", () => {
  const line = Array.from({ length: 5000 }, (_, index) => `\u001b[3${index % 8}mx`).join("");
  expect(parseSgr(line).length).toBeLessThanOrEqual(500);
  expect(plainLine(line)).toBe("x".repeat(5000));
});
