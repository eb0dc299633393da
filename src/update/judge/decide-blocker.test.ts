import { expect, test } from "vitest";
import type { LockFindingKind } from "../../nix/lock/flake-lock-check.ts";
import { blockerOf } from "./decide-blocker.ts";

const finding = (kind: LockFindingKind, ...path: string[]) => ({
  kind,
  path,
  message: `${path.join("/")}: ${kind}`,
});

test("a plain update, and what inputs bring along themselves, lands", () => {
  expect(blockerOf([])).toBeUndefined();
  expect(
    blockerOf([
      finding("input-added", "nixpkgs", "new"),
      finding("source-changed", "nixpkgs", "dependency"),
      finding("downgraded", "nixpkgs", "dependency"),
      finding("declaration-changed", "nixpkgs"),
      finding("format-changed"),
    ]),
  ).toBeUndefined();
});

test.each(["source-changed", "source-differs", "not-pinned"] as const)(
  "an input that is %s needs a person",
  (kind) => {
    expect(blockerOf([finding("downgraded", "old"), finding(kind, "nixpkgs")])).toEqual({
      reason: "lock",
      message: `nixpkgs: ${kind}`,
    });
  },
);

test("inputs that are older than before need a person", () => {
  expect(blockerOf([finding("downgraded", "a"), finding("downgraded", "b")])).toEqual({
    reason: "downgrade",
    message: "a: downgraded; b: downgraded",
  });
});
