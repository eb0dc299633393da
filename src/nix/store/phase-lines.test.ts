import fc from "fast-check";
import { expect, test } from "vitest";
import { createPhaseLineFilter } from "./phase-lines.ts";

function filtered(text: string, cuts: readonly number[] = []): string {
  const filter = createPhaseLineFilter();
  const bytes = Buffer.from(text);
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const cut of [...cuts, bytes.byteLength]) {
    pieces.push(filter.write(bytes.subarray(at, at + cut)));
    at += cut;
  }
  return Buffer.concat([...pieces, filter.end()]).toString();
}

test.each([
  ["a phase", '@nix {"action":"setPhase"}\nbuilding\n', "building\n"],
  ["several", "a\n@nix {}\n@nix {}\nb\n", "a\nb\n"],
  ["one without an end", "a\n@nix {", "a\n"],
  ["nothing else", "the @nix {line}\n@nixos {}\n\n@nix\n", "the @nix {line}\n@nixos {}\n\n@nix\n"],
  ["no start that goes no further", "a\n@ni", "a\n@ni"],
])("takes out %s", (_, text, left) => {
  expect(filtered(text)).toBe(left);
});

test("gives the same however the bytes are cut", () => {
  const word = fc.constantFrom("@nix {", "@nix", "@", "{", "\n", "x", "ü", "\r\n");
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), fc.array(fc.nat({ max: 7 })), (words, cuts) => {
      const text = words.join("");
      const lines = text.split("\n").filter((line) => !line.startsWith("@nix {"));
      const removedLast = text.split("\n").at(-1)?.startsWith("@nix {") === true;
      expect(filtered(text, cuts)).toBe(lines.join("\n") + (removedLast && lines.length > 0 ? "\n" : ""));
    }),
  );
});
