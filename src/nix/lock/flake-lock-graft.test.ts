import fc from "fast-check";
import { expect, test } from "vitest";
import { lockOf, node } from "../../../test/support/flake-locks.ts";
import { diffLocks, updatableInputs } from "./flake-lock-diff.ts";
import { graftLock } from "./flake-lock-graft.ts";
import { type FlakeLock, inputResolver, nodeAt, parseFlakeLock, printFlakeLock } from "./flake-lock.ts";

/** Two inputs with a leaf of their own each, and one that takes its leaf from another. */
const lockAt = (state: number): FlakeLock =>
  lockOf({
    a: node("a", { leaf: "leaf" }, state),
    b: node("b", { leaf: "leaf_2" }, state),
    c: node("c", { leaf: ["a", "leaf"] }, state),
    leaf: node("leaf", undefined, state),
    leaf_2: node("leaf", undefined, state),
    root: { inputs: { a: "a", b: "b", c: "c" } },
  });

test("takes an input with all below it, and leaves the others as they are", () => {
  const graft = graftLock(lockAt(1), lockAt(2), new Set(["b"]));
  expect(Object.keys(graft.nodes)).toEqual(["a", "b", "c", "leaf", "leaf_2", "root"]);
  expect(graft.nodes).toEqual({
    ...lockAt(1).nodes,
    b: lockAt(2).nodes["b"],
    leaf_2: lockAt(2).nodes["leaf_2"],
  });
});

test("nothing taken is the base, and everything taken is the full update", () => {
  expect(graftLock(lockAt(1), lockAt(2), new Set())).toEqual(lockAt(1));
  expect(graftLock(lockAt(1), lockAt(2), new Set(["a", "b", "c"]))).toEqual(lockAt(2));
});

test("names nodes as Nix does, by the input that reaches them first, and drops what nothing needs", () => {
  const base = lockOf({
    a: node("a"),
    b: node("b", { a: "a_2" }),
    a_2: node("a", undefined, 7),
    root: { inputs: { a: "a", b: "b" } },
  });
  const full = lockOf({
    a: node("a", { b: "b" }, 2),
    b: node("other", undefined, 2),
    b_2: node("b", undefined, 2),
    root: { inputs: { a: "a", b: "b_2" } },
  });
  const graft = graftLock(base, full, new Set(["a"]));
  expect(nodeAt(graft, "root").inputs).toEqual({ a: "a", b: "b_2" });
  expect(nodeAt(graft, "a").inputs).toEqual({ b: "b" });
  expect(nodeAt(graft, "b_2").inputs).toEqual({ a: "a_2" });
  expect(Object.keys(graft.nodes)).toEqual(["a", "a_2", "b", "b_2", "root"]);
});

test("an input that follows what only the other lock has does not fit", () => {
  const base = lockOf({ a: node("a"), b: node("b") });
  const full = lockOf({
    a: node("a", { leaf: ["b", "leaf"] }, 2),
    b: node("b", { leaf: "leaf" }, 2),
    leaf: node("leaf"),
    root: { inputs: { a: "a", b: "b" } },
  });
  expect(() => graftLock(base, full, new Set(["a"]))).toThrow(
    expect.objectContaining({ code: "FLAKE_LOCK_UNFIT", hint: "update b with them" }) as Error,
  );
});

test("only inputs of the flake itself can be taken", () => {
  for (const name of ["leaf", "toString", "nothing"]) {
    expect(() => graftLock(lockAt(1), lockAt(2), new Set([name]))).toThrow(
      expect.objectContaining({ kind: "usage", code: "UNKNOWN_FLAKE_INPUT" }) as Error,
    );
  }
});

/** Locks of up to six inputs, where an input can take in those after it, shared or of its own. */
const shape = fc.array(fc.array(fc.constantFrom("none", "shared", "own", "follows"), { maxLength: 6 }), {
  minLength: 1,
  maxLength: 6,
});

function lockOfShape(edges: readonly (readonly string[])[], state: number): FlakeLock {
  const nodes: Record<string, ReturnType<typeof node>> = {};
  const names = edges.map((_, index) => `i${index}`);
  for (const [index, name] of names.entries()) {
    const inputs: Record<string, string | string[]> = {};
    for (const [offset, kind] of (edges[index] ?? []).entries()) {
      const target = names[index + 1 + offset];
      if (target === undefined || kind === "none") continue;
      const key = kind === "own" ? `${target}_of_${name}` : target;
      if (kind === "own") nodes[key] = node(target, undefined, state);
      inputs[target] = kind === "follows" ? [target] : key;
    }
    nodes[name] = node(name, inputs, state);
  }
  return lockOf({ ...nodes, root: { inputs: Object.fromEntries(names.map((name) => [name, name])) } });
}

/** What is locked at each path of inputs, as Nix sees it. */
function statesOf(lock: FlakeLock, input: string): readonly string[] {
  const states: string[] = [];
  const resolve = inputResolver(lock);
  const visit = (path: readonly string[], depth: number): void => {
    const key = resolve(path);
    if (key === undefined || depth > 7) return;
    const { locked, inputs = {} } = nodeAt(lock, key);
    states.push(`${path.join("/")} ${locked?.rev}`);
    for (const name of Object.keys(inputs))
      if (typeof inputs[name] === "string") visit([...path, name], depth + 1);
  };
  visit([input], 0);
  return states.toSorted();
}

test("whatever the graph, each input is as in the lock that it was taken from", () => {
  fc.assert(
    fc.property(shape, fc.array(fc.nat({ max: 5 })), (edges, picked) => {
      const [base, full] = [lockOfShape(edges, 1), lockOfShape(edges, 2)];
      const names = updatableInputs(base);
      const taken = new Set(picked.map((index) => names[index]).filter((name) => name !== undefined));
      const graft = graftLock(base, full, taken);
      expect(parseFlakeLock(printFlakeLock(graft))).toEqual(graft);
      for (const name of names)
        expect(statesOf(graft, name)).toEqual(statesOf(taken.has(name) ? full : base, name));
      expect(new Set(diffLocks(base, graft).map(({ path }) => path[0]))).toEqual(taken);
      expect(graftLock(graft, graft, taken)).toEqual(graft);
    }),
    { numRuns: 300 },
  );
});
