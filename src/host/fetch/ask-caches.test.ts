import { generateKeyPairSync, sign } from "node:crypto";
import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import type { CacheAnswer } from "../../narinfo/cache-answer.ts";
import type { CacheClient } from "../../narinfo/cache-client.ts";
import { parsePublicKey } from "../../narinfo/public-keys.ts";
import type { StorePath } from "../../protocol/names.ts";
import { sha256Of } from "../../protocol/store-paths/sha256.ts";
import { askCaches } from "./ask-caches.ts";

const never = new AbortController().signal;
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const raw = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
const keys = [parsePublicKey(`test-1:${raw}`)];
const path = (digit: string): StorePath => `/nix/store/${digit.repeat(32)}-p${digit}` as StorePath;
const narHash = sha256Of(Buffer.alloc(32, 7));

function narInfo(digit: string, references: readonly string[], isSigned = true): string {
  const paths = references.map(path);
  const fingerprint = `1;${path(digit)};${narHash};10;${paths.join(",")}`;
  const lines = [
    `StorePath: ${path(digit)}`,
    `URL: nar/${digit}.nar`,
    `NarHash: ${narHash}`,
    "NarSize: 10",
    `References: ${paths.map((each) => each.slice("/nix/store/".length)).join(" ")}`,
  ];
  const signature = sign(null, Buffer.from(fingerprint), privateKey).toString("base64");
  return [...lines, ...(isSigned ? [`Sig: test-1:${signature}`] : []), ""].join("\n");
}

/** A cache of these narinfos by their digit; what it is asked for is written down. */
function cacheOf(texts: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const client: CacheClient = {
    url: "http://cache",
    async get(name): Promise<CacheAnswer> {
      const digit = name.charAt(0);
      asked.push(digit);
      const text = texts[digit];
      if (text === "down") throw new HomelabError("unavailable", "down", { code: "CACHE_UNREACHABLE" });
      return { status: text === undefined ? 404 : 200, body: Buffer.from(text ?? ""), isCutOff: false };
    },
    stream: () => Promise.reject(new Error("no NAR is asked for")),
    [Symbol.dispose]: () => undefined,
  };
  return { client, asked };
}

const storeWith = (present: readonly string[], valid: readonly string[] = present) => ({
  present: async (asked: StorePath) => present.map(path).includes(asked),
  validPaths: async (asked: readonly StorePath[]) =>
    new Set(asked.filter((each) => valid.map(path).includes(each))),
});

test("asks for what the store does not have, each once, and nothing below what it has", async () => {
  const { client, asked } = cacheOf({
    "1": narInfo("1", ["1", "2", "3"]),
    "2": narInfo("2", ["3", "4"]),
    "3": narInfo("3", []),
  });
  const store = storeWith(["4"]);
  const { missing, faults } = await askCaches({ caches: [client], keys, store }, path("1"), never);
  expect(missing.map(({ storePath }) => storePath).toSorted()).toEqual([path("1"), path("2"), path("3")]);
  expect(faults).toEqual([]);
  expect(asked.toSorted()).toEqual(["1", "2", "3"]);
});

test("what is on the disk and not valid is asked for after all", async () => {
  const { client } = cacheOf({ "1": narInfo("1", ["2"]), "2": narInfo("2", []) });
  const store = storeWith(["2"], []);
  const { missing } = await askCaches({ caches: [client], keys, store }, path("1"), never);
  expect(missing.map(({ storePath }) => storePath)).toEqual([path("1"), path("2")]);
});

test("references are not followed before the signature is proven", async () => {
  const { client, asked } = cacheOf({ "1": narInfo("1", ["2"], false), "2": narInfo("2", []) });
  const { faults } = await askCaches({ caches: [client], keys, store: storeWith([]) }, path("1"), never);
  expect(faults).toMatchObject([{ path: path("1"), problem: "unsigned" }]);
  expect(asked).toEqual(["1"]);
});

test("the next cache is asked when one has it not, or not well", async () => {
  const [down, bad, good] = [
    cacheOf({ "1": "down" }),
    cacheOf({ "1": narInfo("1", [], false) }),
    cacheOf({ "1": narInfo("1", []) }),
  ];
  const ask = async (...caches: readonly { readonly client: CacheClient }[]) =>
    askCaches({ caches: caches.map(({ client }) => client), keys, store: storeWith([]) }, path("1"), never);
  expect((await ask(down, bad, good)).missing).toHaveLength(1);
  expect((await ask(down, bad)).faults).toMatchObject([{ problem: "unsigned" }]);
  expect((await ask(down)).faults).toMatchObject([{ problem: "unanswered" }]);
  expect((await ask()).faults).toMatchObject([{ problem: "missing" }]);
});
