import fc from "fast-check";
import { expect, test } from "vitest";
import { lockOf, node } from "../../../test/support/flake-locks.ts";
import { checkLockChange } from "./flake-lock-check.ts";
import {
  type FlakeLock,
  type FlakeNode,
  type FlakeReference,
  parseFlakeLock,
  printFlakeLock,
} from "./flake-lock.ts";

const base = lockOf({
  a: node("a", { leaf: "leaf", same: ["leaf"] }),
  leaf: node("leaf"),
  root: { inputs: { a: "a", leaf: ["a", "leaf"] } },
});

/** The base with another node `a`. */
const withA = (change: (node: FlakeNode) => FlakeNode): FlakeLock => ({
  ...base,
  nodes: { ...base.nodes, a: change(node("a", { leaf: "leaf", same: ["leaf"] }, 2)) },
});
const withLocked = (changed: Readonly<Record<string, unknown>>): FlakeLock =>
  withA((a) => ({ ...a, locked: { ...a.locked, ...changed } as FlakeReference }));
const kinds = (before: FlakeLock, after: FlakeLock): readonly string[] =>
  checkLockChange(before, after).map(({ kind, path }) => `${kind} ${path.join("/")}`);

test("a plain update is nothing to look at", () => {
  expect(kinds(base, base)).toEqual([]);
  expect(
    kinds(
      base,
      withA((a) => a),
    ),
  ).toEqual([]);
  expect(kinds(base, withLocked({ ref: "refs/heads/main", revCount: 12 }))).toEqual([]);
});

test.each([
  ["another owner", { owner: "evil" }, ["source-changed a", "source-differs a"]],
  ["another host", { host: "evil.example" }, ["source-changed a", "source-differs a"]],
  ["another type", { type: "git", url: "https://evil.example/a" }, ["source-changed a", "source-differs a"]],
  ["a directory", { dir: "other" }, ["source-changed a", "source-differs a"]],
  ["a working tree with changes", { dirtyRev: "abc-dirty" }, ["source-changed a"]],
  ["no commit", { rev: undefined }, ["not-pinned a"]],
  ["no hash", { narHash: undefined }, ["not-pinned a"]],
  ["an older commit", { lastModified: 1_600_000_000 }, ["downgraded a"]],
])("finds an input that is locked to %s", (_, changed, expected) => {
  expect(kinds(base, parseFlakeLock(printFlakeLock(withLocked(changed))))).toEqual(expected);
});

test("finds what is declared otherwise", () => {
  const moved = withA((a) => ({ ...a, original: { type: "github", owner: "owner", repo: "b" } }));
  expect(kinds(base, moved)).toEqual(["declaration-changed a", "source-differs a"]);
  expect(
    kinds(
      base,
      withA((a) => ({ ...a, flake: false })),
    ),
  ).toEqual(["declaration-changed a"]);
  const follows = withA((a) => ({ ...a, inputs: { ...a.inputs, same: [] } }));
  expect(kinds(base, follows)).toEqual(["declaration-changed a"]);
  const root = { ...base, nodes: { ...base.nodes, root: { inputs: { a: "a", leaf: ["a"] } } } };
  expect(kinds(base, root)).toEqual(["declaration-changed "]);
  expect(kinds(base, { ...base, version: 6 })).toEqual(["format-changed "]);
});

test("finds inputs that came and went", () => {
  const without = lockOf({ a: node("a", { same: [] }), root: { inputs: { a: "a" } } });
  expect(kinds(base, without)).toContain("input-removed a/leaf");
  expect(kinds(without, base)).toContain("input-added a/leaf");
});

test("finds a dependency's own lock that locks something else than it declares", () => {
  const after: FlakeLock = {
    ...base,
    nodes: {
      ...base.nodes,
      leaf: {
        ...node("leaf"),
        locked: { ...node("leaf", undefined, 2).locked, type: "github", owner: "evil" },
      },
    },
  };
  expect(kinds(base, after)).toEqual(["source-changed a/leaf", "source-differs a/leaf"]);
  const fresh = lockOf({ a: node("a"), root: { inputs: { a: "a" } } });
  expect(kinds(fresh, after)).toContain("source-differs a/leaf");
});

test("an archive may have another URL at the same host, and a pinned commit must be the one", () => {
  const archive = (url: string): FlakeLock =>
    lockOf({
      a: {
        locked: { type: "tarball", url, narHash: "sha256-x" },
        original: { type: "tarball", url: "https://example.com/latest.tar.gz" },
      },
    });
  expect(kinds(archive("https://example.com/1.tar.gz"), archive("https://example.com/2.tar.gz"))).toEqual([]);
  expect(kinds(archive("https://example.com/1.tar.gz"), archive("https://evil.example/2.tar.gz"))).toEqual([
    "source-changed a",
  ]);
  const pinned = (state: number): FlakeLock =>
    lockOf({
      a: {
        ...node("a", undefined, state),
        original: { ...node("a").original, type: "github", rev: node("a").locked?.rev },
      },
    });
  expect(kinds(pinned(1), pinned(2))).toEqual(["source-differs a"]);
});

test("no field of what is locked changes unseen, but those that say which state it is", () => {
  const state = ["rev", "ref", "narHash", "lastModified", "lastModifiedDate", "revCount", "shortRev"];
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 12 }), fc.string(), (field, value) => {
      fc.pre(!state.includes(field) && field !== "__proto__" && node("a").locked?.[field] !== value);
      expect(kinds(base, withLocked({ [field]: value }))).not.toEqual([]);
    }),
  );
});
