import fc from "fast-check";
import { expect, test } from "vitest";
import { createLongErrorReader, type LongError } from "./long-error.ts";

/** The keys in Nix's order. */
const line = (msg: string, raw: string, level = 0): string =>
  `@nix ${JSON.stringify({ action: "msg", column: 41, file: "flake.nix:121:41", level, line: 121, msg, raw_msg: raw, trace: [{ column: 1, file: "", line: 1, raw_msg: "while calling 'down'" }] })}`;

function read(text: string, pieceLength = 4096): LongError | undefined {
  const reader = createLongErrorReader();
  for (let at = 0; at < text.length; at += pieceLength) reader.take(text.slice(at, at + pieceLength));
  return reader.end();
}

test("an error with a trace of thousands of calls has its words, and both ends of its trace", () => {
  const trace = Array.from({ length: 10_000 }, (_, call) => `while calling 'down', call ${call}\n`).join("");
  const said = read(line(`error:\nfirst line\n${trace}error: stack overflow "\\n"`, "stack overflow"));
  expect(said?.raw).toBe("stack overflow");
  expect(said?.msg).toMatch(/^error:\nfirst line\nwhile calling 'down', call 0\n/);
  expect(said?.msg).toMatch(/\n\[…\]\n(?:while calling 'down', call \d+\n)+error: stack overflow "\\n"$/);
  expect(said?.msg.length).toBeLessThan(66 * 1024);
});

test("what is not an error of Nix's own is none", () => {
  expect(read(line("a warning", "a warning", 1))).toBeUndefined();
  expect(read(`@nix {"action":"msg","level":0,"msg":"${"forged ".repeat(10_000)}"}`)).toBeUndefined();
  expect(read(`${"x".repeat(100_000)}${line("x", "x")}`)).toBeUndefined();
});

test("whatever is said, and however it is cut, the error's words are found", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(',"raw_msg":"', "\\", '"', "\n", "\\n"),
  );
  fc.assert(
    fc.property(
      fc.array(text),
      fc.nat({ max: 20_000 }),
      text,
      fc.integer({ min: 1, max: 999 }),
      (parts, pad, raw, cut) => {
        const msg = `${parts.join("")}\n${"y".repeat(pad)}`;
        expect(read(line(msg, raw), cut)).toEqual({ raw, msg });
      },
    ),
  );
});
