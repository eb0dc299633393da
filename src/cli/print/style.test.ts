import { expect, test } from "vitest";
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

test("a runner finds no command in foreign text, of either form", () => {
  const runner = createStyle({ colour: true, ascii: false, inRunner: true });
  for (const foreign of [
    "##[group]a",
    " ::error::a",
    "\u001b]0;\u0007::add-mask::a",
    "a\r::stop-commands::a",
  ]) {
    for (const text of [runner.clean(foreign), runner.log(foreign)]) expect(text).not.toMatch(/^\s*::|##\[/);
  }
  expect(coloured.clean("##[group]a")).toBe("##[group]a");
});
