import { expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import type { CacheClient } from "../narinfo/cache-client.ts";
import { parseCacheInfo, probeCache } from "./cache-info.ts";

test("reads what a cache says of itself", () => {
  expect(parseCacheInfo("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n")).toEqual({
    storeDirectory: "/nix/store",
    priority: 30,
    wantMassQuery: true,
  });
  expect(parseCacheInfo("StoreDir: /nix/store\r\n")).toEqual({
    storeDirectory: "/nix/store",
    wantMassQuery: false,
  });
});

test.each(["", "<html>StoreDir: x</html>", "Priority: 30\n", "StoreDir: nix\n"])("%j is none", (text) => {
  expect(parseCacheInfo(text)).toBeUndefined();
});

const probe = async (isCutOff: boolean): Promise<string> => {
  const answer = { status: 200, body: Buffer.from("StoreDir: /nix/store\n"), isCutOff };
  const client = { url: "http://cache.lan", get: async () => answer } as Partial<CacheClient> as CacheClient;
  return (await probeCache(client, systemClock, new AbortController().signal)).info.storeDirectory;
};

test("what it says counts only if it is whole", async () => {
  expect(await probe(false)).toBe("/nix/store");
  await expect(probe(true)).rejects.toMatchObject({ code: "CACHE_UNREACHABLE" });
});
