import { expect, test } from "vitest";
import { requireTip } from "../../../test/support/fake-repository.ts";
import { master, simulateUpdate } from "../../../test/support/simulated-update.ts";
import type { LandResult } from "../../forge/forge.ts";
import { safeUpdate } from "../safe-update.ts";
import { createLanding } from "./landing.ts";

const signal = AbortSignal.timeout(60_000);

/** A whole update that lands by merges. */
async function byMerge() {
  const sim = await simulateUpdate();
  return { ...sim, update: async () => safeUpdate({ ...sim.options, landing: "pull-request" }, signal) };
}

test("by a merge lands exactly the commit that was validated, with its status", async () => {
  const { update, repository, forge } = await byMerge();
  const result = await update();
  if (result.type !== "landed") throw new Error(`it was ${result.type}`);
  const { commit } = result.validated.candidate;
  expect(repository.tip(master)).toBe(commit);
  expect(forge.pulls.map(({ state }) => state)).toEqual(["merged"]);
  expect(forge.statuses.filter((said) => said.commit === commit).map(({ state }) => state)).toContain(
    "success",
  );
});

test("what a forge refuses becomes a proposal that says why, and what to change", async () => {
  const { update, forge, repository } = await byMerge();
  forge.refusal = { type: "refused", message: "Does not have enough approvals" };
  forge.branches.set(master, {
    commit: requireTip(repository, master),
    isProtected: true,
    canPush: false,
    canMerge: true,
    requiredStatuses: [],
    requiredApprovals: 2,
  });
  expect(await update()).toMatchObject({
    type: "proposed",
    url: "https://git.example/home/fleet/pulls/1",
    why: { reason: "refused", advice: expect.stringContaining("requires 2 approvals") },
  });
  expect(forge.pulls.map(({ state }) => state)).toEqual(["open"]);
});

test("a merge that did not bring the commit onto the branch is none", async () => {
  const { update, forge, repository } = await byMerge();
  const before = repository.tip(master);
  forge.refusal = { type: "landed" };
  expect(await update()).toMatchObject({
    type: "proposed",
    why: { message: expect.stringContaining("counts as merged, but master does not have its commit") },
  });
  expect(repository.tip(master)).toBe(before);
});

test("a branch that moves while it is merged is followed, in the same pull request", async () => {
  const { update, forge, repository } = await byMerge();
  const merge = forge.fastForward.bind(forge);
  const answers: (LandResult | undefined)[] = [{ type: "moved" }];
  forge.fastForward = async (...call) => {
    const answer = answers.shift();
    if (answer !== undefined) await repository.person(master, { README: "meanwhile" });
    return answer ?? merge(...call);
  };
  expect((await update()).type).toBe("landed");
  expect(forge.pulls).toHaveLength(1);
});

test("what a person has closed does not land by a merge either", async () => {
  const { update, forge } = await byMerge();
  forge.refusal = { type: "refused", message: "no" };
  expect((await update()).type).toBe("proposed");
  for (const pull of forge.pulls) pull.state = "closed";
  forge.refusal = undefined;
  expect(await update()).toMatchObject({ type: "declined" });
  expect(forge.pulls).toHaveLength(1);
});

test("merges need a forge", async () => {
  const { options } = await simulateUpdate();
  const { source, proposing, run } = options;
  const parts = { way: "pull-request", ...source, ...proposing, clock: run.clock, log: run.log } as const;
  expect(() => createLanding({ ...parts, forge: undefined })).toThrow(
    "landing by pull requests needs a forge",
  );
});
