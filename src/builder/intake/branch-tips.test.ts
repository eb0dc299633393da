import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { parseBranchName, parseCommit, parseRepoName } from "../../protocol/names.ts";
import type { Repo } from "../repo.ts";
import { createBranchTips } from "./branch-tips.ts";

const old = parseCommit("a".repeat(40));
const young = parseCommit("b".repeat(40));
const { signal } = new AbortController();

function remote() {
  const state = { tip: old, asked: 0 };
  const repo: Repo = {
    name: parseRepoName("homelab"),
    branch: parseBranchName("master"),
    mirror: {
      path: "/m",
      async resolveBranch() {
        state.asked++;
        return state.tip;
      },
      ensureCommit: async () => undefined,
      readFile: async () => undefined,
    },
    allowImportFromDerivation: false,
    exclusion: () => undefined,
    pollMs: 0,
  };
  return { state, repo };
}

test("of many requests for one tip, one in ten seconds asks the remote", async () => {
  const clock = createFakeClock();
  const { state, repo } = remote();
  const tips = createBranchTips({ get: () => undefined }, clock);
  for (let count = 0; count < 5; count++) expect(await tips.isTip(repo, old, {}, signal)).toBe(true);
  expect(state.asked).toBe(1);
  await clock.advance(10_000);
  state.tip = young;
  expect(await tips.isTip(repo, old, {}, signal)).toBe(false);
  expect(state.asked).toBe(2);
});

test("a commit that was pushed since the last look is the tip at once", async () => {
  const { state, repo } = remote();
  const tips = createBranchTips({ get: () => undefined }, createFakeClock());
  expect(await tips.isTip(repo, young, {}, signal)).toBe(false);
  state.tip = young;
  expect(await tips.isTip(repo, young, {}, signal)).toBe(true);
});
