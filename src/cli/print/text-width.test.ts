import fc from "fast-check";
import { expect, test } from "vitest";
import { cut, displayWidth, padEnd, padStart } from "./text-width.ts";

const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;

test.each([
  ["", 0],
  ["web01", 5],
  ["häuschen", 8],
  ["ha\u0308uschen", 8],
  ["日本語", 6],
  ["한국", 4],
  ["ｗｅｂ", 6],
  ["🚀", 2],
  ["👩‍👩‍👧‍👦", 2],
  ["🇩🇪", 2],
  ["✓ ✗ ▶ · … █ ░ ┃", 15],
  ["a\u200bb", 2],
  [red("web01"), 5],
  [red("日本"), 4],
])("the width of %j is %i", (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

test("cuts at the width and says so", () => {
  expect(cut("testvm01", 8, "…")).toBe("testvm01");
  expect(cut("testvm01", 5, "…")).toBe("test…");
  expect(cut("日本語", 5, "…")).toBe("日本…");
  expect(cut("日本語", 4, "…")).toBe("日…");
  expect(cut("testvm01", 0, "…")).toBe("");
});

test("ends the colours of what it cuts", () => {
  expect(cut(red("testvm01"), 5, "…")).toBe("\u001b[31mtest…\u001b[0m");
  expect(cut(`ok ${red("x")}`, 4, "…")).toBe(`ok ${red("x")}`);
});

test("pads by columns, not by characters", () => {
  expect(padEnd("日本", 6)).toBe("日本  ");
  expect(padStart(red("1"), 3)).toBe(`  ${red("1")}`);
  expect(padEnd("toolong", 3)).toBe("toolong");
});

test("what was cut is never wider than the width", () => {
  const text = fc.array(
    fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom(red("ab"), "日", "👩‍👩‍👧", "ä")),
  );
  fc.assert(
    fc.property(text, fc.nat({ max: 40 }), (pieces, width) => {
      const whole = pieces.join("");
      const result = cut(whole, width, "…");
      expect(displayWidth(result)).toBeLessThanOrEqual(width);
      expect(result === whole).toBe(displayWidth(whole) <= width);
    }),
  );
});
