import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSha256, sha256Of } from "./sha256.ts";

test("a hash is the same in any way of writing it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (digest) => {
      const hash = sha256Of(digest);
      const bytes = Buffer.from(digest);
      expect(parseSha256(hash)).toBe(hash);
      expect(parseSha256(`sha256:${bytes.toString("hex")}`)).toBe(hash);
      expect(parseSha256(`sha256-${bytes.toString("base64")}`)).toBe(hash);
    }),
  );
});

test("it is written as Nix writes it", () => {
  expect(sha256Of(Buffer.alloc(32))).toBe(`sha256:${"0".repeat(52)}`);
  expect(sha256Of(Buffer.alloc(32, 255))).toBe(`sha256:1${"z".repeat(51)}`);
});

test.each([
  ["nothing", ""],
  ["a hash of another kind", `md5:${"0".repeat(52)}`],
  ["a digit that there is not", `sha256:0${"e".repeat(51)}`],
  ["more bits than 256", `sha256:2${"0".repeat(51)}`],
  ["too short", `sha256:${"0".repeat(51)}`],
  ["too long in base 16", `sha256:${"0".repeat(66)}`],
])("%s is none", (_, text) => {
  expect(parseSha256(text)).toBeUndefined();
});
