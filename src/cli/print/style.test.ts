import { expect, test } from "vitest";
import { jsonLine } from "./lines/json-line.ts";
import { createStyle, plainStyle } from "./style.ts";

const coloured = createStyle({ colour: true, ascii: false });
const ascii = createStyle({ colour: false, ascii: true });

test("colours only where it was decided", () => {
  expect(coloured.red("x")).toBe("\u001b[31mx\u001b[39m");
  expect(plainStyle.red("x")).toBe("x");
});

test("foreign text becomes one inert line", () => {
  const hostile = "a\tb\u001b]52;c;AAAA\u0007\u001b[31mc\u001b[2J\u009b1Ad\r\u202ee\nf";
  for (const style of [coloured, plainStyle]) expect(style.clean(hostile)).toBe("e f");
  expect(coloured.clean("a\tb\u001b[31mc")).toBe("a bc");
});

test("a line of a log keeps its colours where we use some, and nothing else", () => {
  expect(coloured.log("\u001b[31mred\u001b[2J")).toBe("\u001b[31mred\u001b[0m");
  expect(plainStyle.log("\u001b[31mred")).toBe("red");
});

test("in ASCII nothing else is left", () => {
  expect(Object.values(ascii.glyphs).join("")).toMatch(/^[\u0020-\u007e]*$/);
  expect(ascii.clean("häuschen 日本")).toBe("h?uschen ??");
});

test("a line of JSON holds no character that a terminal acts on", () => {
  const value = { text: "a\u009b2Jb\u202ec\u001b[1m\nd\u2028" };
  const line = jsonLine(value);
  expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
  expect(JSON.parse(line)).toEqual(value);
});
