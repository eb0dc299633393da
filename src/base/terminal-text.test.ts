import fc from "fast-check";
import { expect, test } from "vitest";
import { plainText, safeJson, safeLine } from "./terminal-text.ts";

const esc = "\u001b";

test.each([
  ["plain text stays", "hällo\tworld ✓", "hällo\tworld ✓"],
  ["a title goes", `a${esc}]0;owned\u0007b`, "ab"],
  ["a clipboard write goes, also without its end", `a${esc}]52;c;AAAA`, "a"],
  ["cursor movement goes", `a${esc}[2Jb${esc}[1;1Hc`, "abc"],
  ["C1 controls go", "a\u009b2Jb\u0085c", "abc"],
  ["text direction cannot be turned", "a\u202etxt.exe", "atxt.exe"],
  ["an overwritten line keeps its last state", "10 %\r20 %\r30 %", "30 %"],
  ["a newline cannot start a new line", "a\nb", "ab"],
  ["an escape at the end goes", `a${esc}`, "a"],
])("%s", (_, text, expected) => {
  expect(safeLine(text, true)).toBe(expected);
});

test("keeps colour only where it is wanted, and ends it", () => {
  const red = `${esc}[31;1mred`;
  expect(safeLine(red, true)).toBe(`${esc}[31;1mred${esc}[0m`);
  expect(safeLine(red, false)).toBe("red");
});

test("no input leaves a control behind", () => {
  const nasty = fc.string({
    unit: fc.constantFrom(
      esc,
      "[",
      "]",
      "\u009b",
      "\u009d",
      "m",
      "0",
      ";",
      "\u0007",
      "\\",
      "\r",
      "\n",
      "a",
      "\u202e",
      "P",
    ),
    maxLength: 60,
  });
  fc.assert(
    fc.property(nasty, (text) => {
      expect(safeLine(text, false)).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e]/);
      expect(plainText(plainText(text))).toBe(plainText(text));
      expect(safeLine(text, true).replace(/\u001b\[[0-9;:]*m/g, "")).not.toMatch(
        /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/,
      );
    }),
    { numRuns: 5000 },
  );
});

test("JSON holds no character that a terminal or a runner acts on, and is the same value", () => {
  const value = { text: "a\u009b2Jb\u202ec\u001b[1m\nd\u2028##[error]e" };
  const line = safeJson(value);
  expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]|##\[/);
  expect(JSON.parse(line)).toEqual(value);
});
