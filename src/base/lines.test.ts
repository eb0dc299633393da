import fc from "fast-check";
import { expect, test } from "vitest";
import { firstLine, LineSplitter, lineContinuation } from "./lines.ts";

function linesOf(chunks: readonly Uint8Array[], maxLength = 1_000_000): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter(maxLength, (line) => lines.push(line));
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return lines;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("gives the same lines however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 200 }),
      fc.array(fc.nat({ max: 9 })),
      (text, cuts) => {
        const whole = bytes(text);
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          pieces.push(whole.subarray(at, at + cut));
          at += cut;
        }
        pieces.push(whole.subarray(at));
        expect(linesOf(pieces)).toEqual(linesOf([whole]));
      },
    ),
  );
});

test("cuts a line that is too long and says so at the end of each piece", () => {
  expect(linesOf([bytes("abcdefgh\nxy")], 3)).toEqual([
    `abc${lineContinuation}`,
    `def${lineContinuation}`,
    "gh",
    "xy",
  ]);
});

test("keeps only the limit in memory for a line that never ends", () => {
  let longest = 0;
  const splitter = new LineSplitter(16, (line) => (longest = Math.max(longest, line.length)));
  for (let i = 0; i < 1000; i++) splitter.write(bytes("x".repeat(100)));
  expect(longest).toBe(16 + lineContinuation.length);
});

test("drops a carriage return before the newline and keeps empty lines", () => {
  expect(linesOf([bytes("a\r\n\nb")])).toEqual(["a", "", "b"]);
});

test.each([
  ["one", "one"],
  ["one\ntwo", "one"],
  [
    "Failed assertions:\n- users.users.bob.group is unset.\n- b",
    "Failed assertions: users.users.bob.group is unset.",
  ],
  [
    "A definition is of no use. Definition values:\n\n- In `flake.nix': 1",
    "A definition is of no use. Definition values: In `flake.nix': 1",
  ],
  ["nothing follows:\n", "nothing follows:"],
  ["", ""],
])("%j in short is %j", (text, short) => {
  expect(firstLine(text)).toBe(short);
});
