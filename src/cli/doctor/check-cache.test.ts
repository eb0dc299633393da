import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import * as v from "valibot";
import { CacheSettings } from "../../config/cache-schema.ts";
import type { CacheClient } from "../../narinfo/cache-client.ts";
import { checkCache, judgeInfo, judgeKeys, judgeSecretKey } from "./check-cache.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const { d = "", x = "" } = privateKey.export({ format: "jwk" });
const [seed, point] = [Buffer.from(d, "base64url"), Buffer.from(x, "base64url")];
const secret = `cache.lan-1:${Buffer.concat([seed, point]).toString("base64")}`;
const key = `cache.lan-1:${point.toString("base64")}`;
const url = "http://cache.lan:5000";

test.each([
  ["a cache of this store", 200, "StoreDir: /nix/store\nWantMassQuery: 1\n", "ok"],
  ["one of another store", 200, "StoreDir: /other/store\n", "wrong"],
  ["a web page", 200, "<html>", "wrong"],
  ["nothing", 404, "", "wrong"],
])("%s", (_, status, text, state) => {
  expect(judgeInfo(url, status, text, "/nix/store").state).toBe(state);
});

test("an answer that was cut off proves nothing", async () => {
  const answer = { status: 200, body: Buffer.from("StoreDir: /nix/store\n"), isCutOff: true };
  const client = {
    url,
    get: async () => answer,
    [Symbol.dispose]: () => undefined,
  } as Partial<CacheClient> as CacheClient;
  const parts = { openClient: async () => client, secretKeyFile: undefined, nix: undefined };
  const findings = await checkCache(v.parse(CacheSettings, { url }), parts, new AbortController().signal);
  expect(findings[0]).toMatchObject({ check: "cache", state: "wrong" });
});

test("what a cache says when it refuses is shown", () => {
  const { message } = judgeInfo(url, 403, "address not in the list\nof the admin", "/nix/store");
  expect(message).toBe(`${url} refuses access (HTTP 403: address not in the list)`);
});

test("without a Nix here any store is taken", () => {
  expect(judgeInfo(url, 200, "StoreDir: /other/store\n", undefined).state).toBe("ok");
});

test.each([
  ["the key", { url, publicKeys: [key] }, [key], "ok"],
  ["not the key", { url, publicKeys: [key] }, ["cache.nixos.org-1:x"], "warning"],
  ["another key of its name", { url, publicKeys: [key] }, [`cache.lan-1:${"A".repeat(43)}=`], "wrong"],
  ["nobody knows which", { url, publicKeys: [] }, [key], "warning"],
])("this machine trusts %s", (_, settings, trusted, state) => {
  expect(judgeKeys(settings, trusted).map((finding) => finding.state)).toEqual([state]);
});

test("a secret key belongs to one of the public keys, and is never repeated", () => {
  expect(judgeSecretKey("/key", `${secret}\n`, [key]).state).toBe("ok");
  for (const text of [secret, key, "nonsense"]) {
    const finding = judgeSecretKey("/key", text, []);
    expect(finding.state).toBe("wrong");
    expect(JSON.stringify(finding)).not.toContain(secret.split(":")[1]);
  }
});
