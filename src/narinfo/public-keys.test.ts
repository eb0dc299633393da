import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeSignatures, parsePublicKey } from "./public-keys.ts";

const base64Of = (key: KeyObject): string =>
  Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");

function newKey(name: string): { readonly text: string; readonly sign: (text: string) => string } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    text: `${name}:${base64Of(publicKey)}`,
    sign: (text) => `${name}:${sign(null, Buffer.from(text), privateKey).toString("base64")}`,
  };
}

const ours = newKey("cache-1");
const renewed = newKey("cache-1");
const foreign = newKey("stranger-1");
const keys = [parsePublicKey(ours.text), parsePublicKey(renewed.text)];

test("a signature counts when it is valid and by a trusted key, also as one of several", async () => {
  for (const signatures of [
    [ours.sign("text")],
    [renewed.sign("text")],
    [foreign.sign("text"), "x", ours.sign("other"), ours.sign("text")],
  ]) {
    expect(await judgeSignatures("text", signatures, keys)).toMatchObject({ type: "signed" });
  }
});

test.each([
  ["by a foreign key", foreign.sign("text"), "it is signed by stranger-1, which is not trusted"],
  ["of another text", ours.sign("other"), "its signature is not valid: that of cache-1"],
  ["of a foreign key under our name", foreign.sign("text").replace("stranger", "cache"), "that of cache-1"],
  ["cut off", ours.sign("text").slice(0, 60), "one that is unreadable"],
  ["without a name", "YWJj", "one that is unreadable"],
])("a signature %s does not", async (_, signature, reason) => {
  const judgement = await judgeSignatures("text", [signature], keys);
  expect(judgement).toMatchObject({ type: "wrong", reason: expect.stringContaining(reason) });
});

test("no signature is not a wrong one", async () => {
  expect(await judgeSignatures("text", [], keys)).toEqual({ type: "unsigned" });
});

test("no change of the text keeps its signature", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.string(), async (text, other) => {
      const judgement = await judgeSignatures(other, [ours.sign(text)], keys);
      expect(judgement.type).toBe(Buffer.from(text).equals(Buffer.from(other)) ? "signed" : "wrong");
    }),
  );
});

test("a secret key in the place of a public one is not repeated", () => {
  const secret = `cache-1:${Buffer.alloc(64, 7).toString("base64")}`;
  expect(() => parsePublicKey(secret)).toThrow("the key cache-1 of the cache is a secret one");
  expect(() => parsePublicKey("cache-1:short")).toThrow("is not NAME:BASE64");
  expect(() => parsePublicKey(ours.text.slice(8))).toThrow("is not NAME:BASE64");
});
