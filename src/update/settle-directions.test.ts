import { expect, test } from "vitest";
import { lockOf, node } from "../../test/support/flake-locks.ts";
import { checkLockChange } from "../nix/lock/flake-lock-check.ts";
import { diffLocks } from "../nix/lock/flake-lock-diff.ts";
import type { CommitRelation } from "../git/git.ts";
import { parseCommit } from "../protocol/names.ts";
import { settleDirections } from "./settle-directions.ts";

/** `alpha` goes from a state to another, of which git says how they stand to each other. */
async function settle(from: number, to: number, relation: CommitRelation) {
  const [before, after] = [
    lockOf({ alpha: node("alpha", {}, from) }),
    lockOf({ alpha: node("alpha", {}, to) }),
  ];
  const candidate = {
    commit: parseCommit("b".repeat(40)),
    base: parseCommit("a".repeat(40)),
    changes: diffLocks(before, after),
    findings: checkLockChange(before, after),
  };
  const settled = await settleDirections(
    { direction: async () => relation },
    candidate,
    AbortSignal.timeout(60_000),
  );
  expect(settled.changes[0]?.downgraded).toBe(settled.findings.length > 0);
  return settled.findings.map(({ message }) => message);
}

test("a history that continues is no step back, whatever the clocks said", async () => {
  expect(await settle(2, 1, { type: "forward" })).toEqual([]);
});

test("a commit that the old one stands on is a step back, whatever the clocks said", async () => {
  const message = "alpha is older than before: its old commit stands on its new one";
  expect(await settle(2, 1, { type: "back" })).toEqual([message]);
  expect(await settle(1, 2, { type: "back" })).toEqual([message]);
});

test("where the history is rewritten or cannot be read, the time decides, and it is said", async () => {
  expect(await settle(1, 2, { type: "apart" })).toEqual([]);
  expect(await settle(2, 1, { type: "apart" })).toEqual([
    "alpha is older than before by its time: its history was rewritten, or its branch is another one",
  ]);
  expect(await settle(1, 2, { type: "unreachable", reason: "it is away" })).toEqual([]);
  expect(await settle(2, 1, { type: "unreachable", reason: "it is away" })).toEqual([
    "alpha is older than before by its time alone: it is away",
  ]);
});
