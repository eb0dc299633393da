// Every lock of the corpus is read, printed, compared and grafted; what a graft must be is printed by another program
// text than ours, which is itself held to Nix's own locks (test/integration/lock-corpus.test.ts).
import { describe, expect, test } from "vitest";
import { lockCorpus, type LockCase } from "../../../test/support/lock-corpus.ts";
import { isFollows, printTree, type Tree } from "../../../test/support/lock-tree.ts";
import { diffLocks, updatableInputs } from "./flake-lock-diff.ts";
import { graftLock } from "./flake-lock-graft.ts";
import { type FlakeLock, parseFlakeLock, printFlakeLock } from "./flake-lock.ts";

const lockOf = (inputs: Tree): FlakeLock => parseFlakeLock(printTree(inputs));
const lockedIn = (inputs: Tree): readonly string[] =>
  Object.entries(inputs).flatMap(([name, target]) => (isFollows(target) ? [] : [name]));

/** Every one alone, and some of them together: the first half, all but one, and all. */
function subsetsOf(names: readonly string[]): readonly (readonly string[])[] {
  const alone = names.slice(0, 30).map((name) => [name]);
  return [[], ...alone, names.slice(0, Math.ceil(names.length / 2)), names.slice(1), names];
}

/** The base with these inputs of the update. */
const graftOf = (base: Tree, full: Tree, names: readonly string[]): Tree =>
  Object.fromEntries(
    Object.entries(base).map(([name, target]) => [
      name,
      names.includes(name) ? (full[name] ?? target) : target,
    ]),
  );

test("the corpus has every kind that a census has found", () => {
  expect(lockCorpus.length).toBeGreaterThanOrEqual(60);
  expect(new Set(lockCorpus.map(({ name }) => name)).size).toBe(lockCorpus.length);
  const types = lockCorpus.flatMap(({ at }) =>
    Object.values(lockOf(at(1)).nodes).map(({ original }) => original?.type),
  );
  expect([...new Set(types)].filter((type) => type !== undefined).toSorted()).toEqual([
    "file",
    "git",
    "github",
    "gitlab",
    "hg",
    "indirect",
    "path",
    "sourcehut",
    "tarball",
  ]);
});

describe.each(lockCorpus.map((each): [string, LockCase] => [each.name, each]))("%s", (_, { at, moves }) => {
  const [base, full] = [at(1), at(2)];
  const locked = lockedIn(base);
  const moved = moves ?? locked;

  test("is read, and printed byte for byte", () => {
    for (const inputs of [base, full]) {
      const text = printTree(inputs);
      expect(printFlakeLock(parseFlakeLock(text))).toBe(text);
      expect(updatableInputs(parseFlakeLock(text)).toSorted()).toEqual(lockedIn(inputs).toSorted());
    }
  });

  test("its update is explained", () => {
    const changes = diffLocks(lockOf(base), lockOf(full));
    expect(changes.map(({ path }) => path[0])).toEqual(moved.toSorted());
    expect(diffLocks(lockOf(base), lockOf(at(1)))).toEqual([]);
  });

  test("a graft of any of its inputs is what Nix would have written", () => {
    for (const names of subsetsOf(locked)) {
      const graft = graftLock(lockOf(base), lockOf(full), new Set(names));
      expect(printFlakeLock(graft), names.join(", ")).toBe(printTree(graftOf(base, full, names)));
      expect(diffLocks(lockOf(base), graft).map(({ path }) => path[0])).toEqual(
        moved.filter((name) => names.includes(name)).toSorted(),
      );
    }
  });
});
