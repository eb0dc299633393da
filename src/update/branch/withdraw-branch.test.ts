import { expect, test } from "vitest";
import { parseBranchName, parseCommit } from "../../protocol/names.ts";
import type { JournalEntry } from "../journal.ts";
import { toWithdraw } from "./withdraw-branch.ts";

const branch = parseBranchName("flake-update/2026-11-23");
const commitOf = (digit: string) => parseCommit(digit.repeat(40));
const [candidate, other, old] = [commitOf("a"), commitOf("b"), commitOf("c")];
const pushed = (commit: typeof candidate, before: typeof candidate | "nothing"): JournalEntry => ({
  step: "branch-pushed",
  branch,
  commit,
  before,
});

test("a branch that this run made goes away, and one that it moved goes back", () => {
  expect(toWithdraw([pushed(candidate, "nothing")])).toEqual({
    branch,
    commit: candidate,
    before: undefined,
  });
  const moved = [pushed(candidate, old), pushed(other, candidate), pushed(candidate, other)];
  expect(toWithdraw(moved)).toEqual({ branch, commit: candidate, before: old });
});

test("what was there before, or is being landed, stays", () => {
  expect(toWithdraw([])).toBeUndefined();
  expect(toWithdraw([pushed(candidate, candidate)])).toBeUndefined();
  const landing: JournalEntry = { step: "landing", commit: candidate, base: old };
  expect(toWithdraw([pushed(candidate, "nothing"), landing])).toBeUndefined();
  expect(toWithdraw([{ step: "branch-pushed", branch, commit: candidate }])).toBeUndefined();
});
