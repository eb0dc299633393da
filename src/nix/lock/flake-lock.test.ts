import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { inputResolver, lostInputs, parseFlakeLock, printFlakeLock, requireFollowed } from "./flake-lock.ts";
import { node, lockOf } from "../../../test/support/flake-locks.ts";

const printed = readFileSync(new URL("../../../test/fixtures/flake.lock", import.meta.url), "utf8");

test("prints what Nix wrote byte by byte, with what it does not know", () => {
  expect(printFlakeLock(parseFlakeLock(printed))).toBe(printed);
});

const withNode = (changed: object): string => JSON.stringify({ ...lockOf({ a: node("a") }), ...changed });

test.each([
  ["no JSON", "{", /JSON/],
  ["a merge conflict", "{\n<<<<<<< HEAD\n", /the markers of a merge conflict/],
  ["another version", withNode({ version: 8 }), /version/],
  ["no root", withNode({ root: "other" }), /its root is not there/],
  [
    "an input that is not there",
    withNode({ nodes: { root: { inputs: { a: "gone" } } } }),
    /a of the flake itself points to nothing/,
  ],
  [
    "an input that is not locked",
    withNode({ nodes: { root: { inputs: { a: "a" } }, a: {} } }),
    /a is not locked/,
  ],
  [
    "a key that JavaScript has its own meaning for",
    '{"nodes":{"__proto__":{}},"root":"root","version":7}',
    /__proto__/,
  ],
  ["too much", " ".repeat(4 * 1024 * 1024 + 1), /more than/],
])("refuses a lock with %s", (_, text, message) => {
  expect(() => parseFlakeLock(text)).toThrow(
    expect.objectContaining({
      kind: "failed",
      code: "FLAKE_LOCK_INVALID",
      message: expect.stringMatching(message) as string,
    }) as Error,
  );
});

test("finds inputs along what they follow", () => {
  const resolve = inputResolver(
    lockOf({
      a: node("a", { leaf: "leaf", other: ["b"] }),
      b: node("b", { leaf: ["a", "leaf"] }),
      leaf: node("leaf"),
      root: { inputs: { a: "a", b: "b", same: ["a", "other", "leaf"], none: [] } },
    }),
  );
  expect(resolve(["same"])).toBe("leaf");
  expect(resolve(["a", "other"])).toBe("b");
  expect(resolve(["none"])).toBe("root");
  expect(resolve(["b", "nothing"])).toBeUndefined();
  expect(resolve(["toString"])).toBeUndefined();
});

test("a long chain of inputs that follow each other ends", () => {
  const names = Array.from({ length: 4_000 }, (_, index) => `i${index}`);
  const inputs = Object.fromEntries(names.map((name, index) => [name, [names[index + 1] ?? "i0"]]));
  expect(lostInputs(lockOf({ root: { inputs } }))).toHaveLength(4_000);
});

test("an input that follows nothing is read as it is, and does not fit", () => {
  const lock = lockOf({
    tool: node("tool", { a: ["gone"] }),
    root: { inputs: { tool: "tool", b: ["c"], c: ["b"] } },
  });
  expect(lostInputs(lock)).toEqual([
    { of: "root", input: "b", follows: ["c"] },
    { of: "root", input: "c", follows: ["b"] },
    { of: "tool", input: "a", follows: ["gone"] },
  ]);
  expect(() => requireFollowed(lock)).toThrow(
    expect.objectContaining({
      code: "FLAKE_LOCK_UNFIT",
      message: expect.stringContaining("its b from c") as string,
    }) as Error,
  );
});
