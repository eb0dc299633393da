import { expect, test } from "vitest";
import { parseCacheInfo } from "./cache-info.ts";

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
