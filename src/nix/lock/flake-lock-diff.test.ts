import { expect, test } from "vitest";
import { commitOf, lockOf, node } from "../../../test/support/flake-locks.ts";
import { diffLocks, updatableInputs, walkPairs } from "./flake-lock-diff.ts";

const root = (...names: readonly string[]) => ({
  inputs: Object.fromEntries(names.map((name) => [name, name])),
});

test("says which inputs moved, from where to where", () => {
  const before = lockOf({ a: node("a"), b: node("b") });
  const after = lockOf({ a: node("a", undefined, 2), b: node("b") });
  expect(diffLocks(before, after)).toEqual([
    {
      path: ["a"],
      before: {
        type: "github",
        source: "github:owner/a",
        rev: commitOf("a 1"),
        narHash: `sha256-${commitOf("a content 1")}`,
        lastModified: 1_700_000_001,
      },
      after: {
        type: "github",
        source: "github:owner/a",
        rev: commitOf("a 2"),
        narHash: `sha256-${commitOf("a content 2")}`,
        lastModified: 1_700_000_002,
      },
      downgraded: false,
      compareUrl: `https://github.com/owner/a/compare/${commitOf("a 1")}...${commitOf("a 2")}`,
    },
  ]);
});

test("equal locks do not differ, whatever their nodes are called", () => {
  const before = lockOf({ a: node("a"), root: root("a") });
  const after = lockOf({ other: node("a"), root: { inputs: { a: "other" } } });
  expect(diffLocks(before, after)).toEqual([]);
});

test("says what came, what went and what went back", () => {
  const before = lockOf({ gone: node("gone"), back: node("back", undefined, 5) });
  const after = lockOf({ come: node("come"), back: node("back", undefined, 4) });
  const inputs = diffLocks(before, after);
  expect(inputs.map(({ path, downgraded }) => [path.join("/"), downgraded])).toEqual([
    ["back", true],
    ["come", false],
    ["gone", false],
  ]);
  expect(inputs[1]?.before).toBeUndefined();
  expect(inputs[2]?.after).toBeUndefined();
});

test("what moves below an input moves it, also where the input itself is where it was", () => {
  const lock = (state: number) =>
    lockOf({
      tool: node("tool", { deep: "deep" }),
      deep: node("deep", { leaf: "leaf" }),
      leaf: node("leaf", undefined, state),
      root: root("tool"),
    });
  const [change, ...more] = diffLocks(lock(1), lock(2));
  expect(more).toEqual([]);
  expect(change).toMatchObject({ path: ["tool"], before: { rev: change?.after?.rev } });
  expect(change?.below).toMatchObject([
    {
      path: ["tool", "deep", "leaf"],
      before: { rev: commitOf("leaf 1") },
      after: { rev: commitOf("leaf 2") },
    },
  ]);
});

test("what an input follows moves the input that it belongs to, and no other", () => {
  const lock = (state: number) =>
    lockOf({
      a: node("a", { leaf: "leaf", same: ["leaf"] }),
      leaf: node("leaf", undefined, state),
      root: { inputs: { a: "a", leaf: ["a", "leaf"] } },
    });
  expect(diffLocks(lock(1), lock(2)).map(({ path }) => path)).toEqual([["a"]]);
  expect([...walkPairs(lock(1), lock(2))].map(({ path }) => path)).toEqual([["a"], ["a", "leaf"]]);
});

test("an input that follows another one, or is declared otherwise, has changed", () => {
  const lock = (follows: string, ref: string) => {
    const { original, ...rest } = node("tool", { nixpkgs: [follows] });
    return lockOf({
      old: node("old"),
      young: node("young"),
      tool: { ...rest, original: { type: "github", ...original, ref } },
      root: { inputs: { old: "old", young: "young", tool: "tool", same: [follows] } },
    });
  };
  const namesOf = (from: ReturnType<typeof lock>, to: ReturnType<typeof lock>) =>
    diffLocks(from, to).map(({ path }) => path.join("/"));
  expect(namesOf(lock("old", "main"), lock("young", "main"))).toEqual(["same", "tool"]);
  expect(namesOf(lock("old", "main"), lock("old", "next"))).toEqual(["tool"]);
});

test("a stand-in for a time is none, and says nothing of older or younger", () => {
  const at = (lastModified: number) => ({
    a: {
      locked: { type: "path", path: "/a", narHash: `x${lastModified}`, lastModified },
      original: { type: "path" },
    },
  });
  const [change] = diffLocks(lockOf(at(1_700_000_000)), lockOf(at(1)));
  expect(change?.after).not.toHaveProperty("lastModified", 1);
  expect(change?.downgraded).toBe(false);
});

test("a lock whose nodes are shared a million times over is read once", () => {
  const level = (number: number, state: number) => {
    const below: Record<string, string> =
      number < 20 ? { left: `n${number + 1}`, right: `n${number + 1}` } : {};
    return [`n${number}`, node(`n${number}`, below, state)] as const;
  };
  const lock = (state: number) =>
    lockOf({
      ...Object.fromEntries(Array.from({ length: 21 }, (_, number) => level(number, state))),
      root: { inputs: { a: "n0" } },
    });
  expect([...walkPairs(lock(1), lock(2))]).toHaveLength(21);
});

test("a password in a URL is not shown", () => {
  const url = "https://user:secret@example.com/x?token=secret";
  const at = (rev: string) => ({
    a: { locked: { type: "git", url, rev, narHash: "x" }, original: { type: "git", url } },
  });
  const [change] = diffLocks(lockOf(at(commitOf("1"))), lockOf(at(commitOf("2"))));
  expect(change?.after?.source).toBe("git:https://example.com/x");
});

test("inputs that follow another cannot be updated by themselves", () => {
  const lock = lockOf({ a: node("a"), root: { inputs: { a: "a", b: ["a"] } } });
  expect(updatableInputs(lock)).toEqual(["a"]);
});
