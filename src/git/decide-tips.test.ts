import { expect, test } from "vitest";
import { parseCommit } from "../protocol/names.ts";
import { distinctTips, groupTips, recentFirst } from "./decide-tips.ts";

const commit = (digit: string) => parseCommit(digit.repeat(40));
const [one, two, three] = [commit("1"), commit("2"), commit("3")];

test("branches that moved or are new come first, the others keep their order, and what is gone is forgotten", () => {
  const before = new Map([
    ["x", one],
    ["gone", two],
    ["main", two],
    ["a", three],
  ]);
  const now = new Map([
    ["a", three],
    ["b", one],
    ["main", three],
    ["x", one],
  ]);
  expect([...recentFirst(before, now)]).toEqual([
    ["b", one],
    ["main", three],
    ["x", one],
    ["a", three],
  ]);
});

test("a tip of many branches is there once, first those of branches that were asked for", () => {
  const heads = new Map([
    ["a", one],
    ["b", one],
    ["c", two],
    ["main", three],
    ["trunk", one],
  ]);
  expect(distinctTips(heads, new Set(["main", "trunk"]))).toEqual([
    { branch: "main", commit: three },
    { branch: "trunk", commit: one },
    { branch: "c", commit: two },
  ]);
});

test("what failed before is tried last and alone", () => {
  const tips = [
    { branch: "a", commit: one },
    { branch: "b", commit: two },
    { branch: "c", commit: three },
  ];
  expect(groupTips(tips, (each) => each === one)).toEqual([[tips[1], tips[2]], [tips[0]]]);
  expect(groupTips([], () => false)).toEqual([]);
});

test("names of any length fit into the arguments of a program", () => {
  const tips = Array.from({ length: 300 }, (_, index) => ({
    branch: `${index}-${"ü".repeat(2000)}`,
    commit: one,
  }));
  const groups = groupTips(tips, () => false);
  expect(groups.flat()).toEqual(tips);
  for (const group of groups) {
    const bytes = group.reduce((sum, { branch }) => sum + 2 * Buffer.byteLength(branch) + 30, 0);
    // Linux takes 2 MiB of arguments, and 6 MiB at most (execve(2)).
    expect(bytes).toBeLessThan(512 * 1024);
  }
});
