import fc from "fast-check";
import { expect, test } from "vitest";
import type { StorePath } from "../protocol/names.ts";
import { fingerprintOf, hashPartOf, parseNarInfo } from "./narinfo.ts";

const digits = "0123456789abcdfghijklmnpqrsvwxyz";
const path = `/nix/store/${"a".repeat(32)}-hello-2.12` as StorePath;
const narHash = `sha256:0${"1".repeat(51)}`;
const fields = {
  StorePath: path,
  URL: "nar/x.nar?hash=aaa",
  Compression: "none",
  NarHash: narHash,
  NarSize: "120",
};
const textOf = (more: Readonly<Record<string, string>> = {}): string =>
  Object.entries({ ...fields, ...more })
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");

test("reads what is needed, and leaves out what it does not know", () => {
  expect(
    parseNarInfo(`${textOf({ FileSize: "99", Deriver: "x.drv", System: "x" })}Sig: a:b\nSig: c:d\n`),
  ).toEqual({
    storePath: path,
    url: "nar/x.nar?hash=aaa",
    compression: "none",
    fileSize: 99,
    narHash,
    narSize: 120,
    references: [],
    signatures: ["a:b", "c:d"],
  });
});

test("references are signed sorted, each once, with the directory of the store", () => {
  const [a, b] = [`${"a".repeat(32)}-a`, `${"b".repeat(32)}-b`];
  const narInfo = parseNarInfo(textOf({ References: `${b} ${a} ${b}` }));
  expect(fingerprintOf(narInfo)).toBe(`1;${path};${narHash};120;/nix/store/${a},/nix/store/${b}`);
});

test.each([
  ["no References", textOf()],
  ["References without anything", `${textOf()}References: \n`],
  ["not even a space behind their colon", `${textOf()}References:\n`],
])("%s is none", (_, text) => {
  expect(parseNarInfo(text).references).toEqual([]);
});

test("a hash is the same in any way of writing it", () => {
  const hex = "00".repeat(31);
  const base32 = parseNarInfo(textOf({ NarHash: `sha256:${hex}ff` })).narHash;
  const sri = `sha256-${Buffer.from(`${hex}ff`, "hex").toString("base64")}`;
  expect(parseNarInfo(textOf({ NarHash: sri })).narHash).toBe(base32);
  expect(parseNarInfo(textOf({ NarHash: base32 })).narHash).toBe(base32);
});

test("without a compression it is what Nix takes it for", () => {
  expect(parseNarInfo(textOf({ Compression: "" })).compression).toBe("bzip2");
});

test.each([
  ["a web page", "<!doctype html>\n<html></html>", "it is not a narinfo"],
  ["nothing", "", "it has no StorePath"],
  ["no hash", textOf({ NarHash: "" }), "it has no NarHash"],
  ["a hash of another kind", textOf({ NarHash: "md5:abc" }), "its NarHash is not a SHA-256"],
  ["a size that is none", textOf({ NarSize: "1e3" }), "its NarSize is not a size"],
  ["a size of nothing", textOf({ NarSize: "0" }), "its NarSize is not a size"],
  ["a path outside any store", textOf({ StorePath: "/etc/passwd" }), "its StorePath is not a store path"],
  ["a field twice", `${textOf()}NarSize: 121\n`, "it has NarSize twice"],
  ["references twice", `${textOf()}References: \nReferences: \n`, "it has References twice"],
  [
    "a reference with a path",
    textOf({ References: `../${"a".repeat(32)}-x` }),
    "its References are not names",
  ],
  ["a NAR elsewhere", textOf({ URL: "https://example.org/x.nar" }), "its URL leads out of the cache"],
  ["a NAR at another host", textOf({ URL: "//example.org/x.nar" }), "its URL leads out of the cache"],
  ["a NAR above the cache", textOf({ URL: "nar/../../x" }), "its URL leads out of the cache"],
])("%s is refused", (_, text, message) => {
  expect(() => parseNarInfo(text)).toThrow(message);
  expect(() => parseNarInfo(text)).toThrow(SyntaxError);
});

function attempt(read: () => string): unknown {
  try {
    return read();
  } catch (error) {
    return error;
  }
}

test("anything is read or refused, and nothing else happens", () => {
  const line = fc.oneof(
    fc.constantFrom(...textOf({ References: "", Sig: "a:b" }).split("\n")),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const read = (): string => parseNarInfo(lines.join("\n")).storePath;
      const outcome = attempt(read);
      expect(outcome === path || outcome instanceof SyntaxError).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("whatever a narinfo says, it comes back", () => {
  const name = fc
    .tuple(
      fc.string({ unit: fc.constantFrom(...digits.split("")), minLength: 32, maxLength: 32 }),
      fc.stringMatching(/^[A-Za-z0-9+_?=.-]{1,20}$/),
    )
    .map(([hash, rest]) => `${hash}-${rest}`);
  fc.assert(
    fc.property(
      name,
      fc.array(name, { maxLength: 5 }),
      fc.integer({ min: 1, max: 2 ** 40 }),
      (own, others, size) => {
        const storePath = `/nix/store/${own}` as StorePath;
        const text = textOf({ StorePath: storePath, References: others.join(" "), NarSize: `${size}` });
        const narInfo = parseNarInfo(text);
        expect([narInfo.storePath, narInfo.narSize]).toEqual([storePath, size]);
        expect(narInfo.references).toEqual(
          [...new Set(others)].map((each) => `/nix/store/${each}`).toSorted(),
        );
        expect(storePath).toContain(hashPartOf(storePath));
      },
    ),
  );
});
