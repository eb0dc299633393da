import fc from "fast-check";
import { expect, test } from "vitest";
import { nix32, parseNix32 } from "./nix32.ts";

test("bytes come back, whatever they are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(parseNix32(nix32(bytes), bytes.byteLength)).toEqual(bytes);
    }),
  );
});

test.each([
  ["a digit that is none", "e".repeat(52)],
  ["too short", "0".repeat(51)],
  ["too long", "0".repeat(53)],
  ["more bits than there are bytes for", `z${"0".repeat(51)}`],
])("%s is no hash of 32 bytes", (_, text) => {
  expect(parseNix32(text, 32)).toBeUndefined();
});
