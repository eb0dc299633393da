import { expect, test } from "vitest";
import { parseBranchName, parseCommit } from "../../protocol/names.ts";
import { branchOfDay, chooseBranch, isForgotten } from "./decide-branch.ts";

const [ours, theirs] = [parseCommit("a".repeat(40)), parseCommit("b".repeat(40))];
const day = branchOfDay(new Date("2026-11-22T23:59:59Z"));
const named = (suffix: string) => parseBranchName(`${day}${suffix}`);

test("the branch of the day is made, taken over or left alone", () => {
  expect(day).toBe("flake-update/2026-11-22");
  expect(chooseBranch(day, ours, [])).toEqual({ type: "push", name: day, from: undefined });
  expect(chooseBranch(day, ours, [{ name: day, tip: ours, isOurs: true }])).toEqual({
    type: "adopt",
    name: day,
  });
  const before = parseBranchName("flake-update/2026-11-15-2");
  expect(chooseBranch(day, ours, [{ name: before, tip: ours, isOurs: false }])).toEqual({
    type: "adopt",
    name: before,
  });
  const foreign = parseBranchName("flake-update/experiment");
  expect(chooseBranch(day, ours, [{ name: foreign, tip: ours, isOurs: true }])).toMatchObject({
    type: "push",
    name: day,
  });
  expect(chooseBranch(day, ours, [{ name: day, tip: theirs, isOurs: true }])).toEqual({
    type: "push",
    name: day,
    from: theirs,
  });
  expect(chooseBranch(day, ours, [{ name: day, tip: theirs, isOurs: false }])).toEqual({
    type: "push",
    name: named("-2"),
    from: undefined,
  });
  expect(
    chooseBranch(day, ours, [
      { name: day, tip: theirs, isOurs: false },
      { name: named("-2"), tip: theirs, isOurs: true },
    ]),
  ).toEqual({ type: "push", name: named("-2"), from: theirs });
});

test("an update that comes to the same lock on a newer base keeps its branch, unless people work on it", () => {
  const before = parseBranchName("flake-update/2026-11-15");
  const branch = { name: before, tip: theirs, isOurs: true };
  expect(chooseBranch(day, ours, [branch], new Set([theirs]))).toEqual({
    type: "push",
    name: before,
    from: theirs,
  });
  const elsewhere = { type: "push", name: day, from: undefined };
  expect(chooseBranch(day, ours, [branch])).toEqual(elsewhere);
  expect(chooseBranch(day, ours, [{ ...branch, isOurs: false }], new Set([theirs]))).toEqual(elsewhere);
  const foreign = { ...branch, name: parseBranchName("flake-update/experiment") };
  expect(chooseBranch(day, ours, [foreign], new Set([theirs]))).toEqual(elsewhere);
});

test.each<[string, string, Partial<{ isOurs: boolean }>, string[], boolean]>([
  ["of a day that is over", "flake-update/2026-11-22", {}, [], true],
  ["a second one of that day", "flake-update/2026-11-22-2", {}, [], true],
  ["with a pull request", "flake-update/2026-11-22", {}, ["flake-update/2026-11-22"], false],
  ["with work of people", "flake-update/2026-11-22", { isOurs: false }, [], false],
  ["of today", "flake-update/2026-11-23", {}, [], false],
  ["that a person named", "flake-update/mine", {}, [], false],
  ["of no day", "flake-update/2026-19-39", {}, [], false],
])("a branch %s", (_name, name, changed, needed, expected) => {
  const found = { name: parseBranchName(name), tip: theirs, isOurs: true, ...changed };
  expect(isForgotten(found, new Set(needed), new Date("2026-11-23T01:00:00Z"))).toBe(expected);
  expect(isForgotten(found, new Set(needed), new Date("2026-11-23T00:59:00Z"))).toBe(false);
});
