// Landing on a branch that only merges may move, and what people do with pull requests of updates.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test as base } from "vitest";
import { branchOfDay } from "../../src/update/branch/decide-branch.ts";
import { badGateway } from "../support/forge-server/faults.ts";
import type { ForgeState, Protection } from "../support/forge-server/forge-state.ts";
import { startForgeServer } from "../support/forge-server/forge-server.ts";
import { giteaContract } from "../support/forge-server/gitea-contract.ts";
import { startForgeUpdater, type ForgeUpdater } from "../support/forge-updater.ts";
import { createUpdateLab } from "../support/update-lab.ts";

const contract = giteaContract();
const day = branchOfDay(new Date());
const ours = "homelab-deploy/update";

const test = base
  .extend("forge", { scope: "file" }, async ({}, { onCleanup }) => {
    const directory = await mkdtemp(join(tmpdir(), "homelab-forge-"));
    const server = await startForgeServer({ kind: "gitea", directory, contract });
    onCleanup(async () => {
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });
    return server;
  })
  .extend("lab", { scope: "file" }, async ({ forge }, { onCleanup }) => {
    const lab = await createUpdateLab(["host01", "host02"], forge.remote.path);
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("updater", { scope: "file" }, async ({ forge, lab }, { onCleanup }) => {
    const updater = await startForgeUpdater(lab, forge);
    onCleanup(() => updater[Symbol.asyncDispose]());
    return updater;
  });

beforeEach<{ updater: ForgeUpdater }>(async ({ updater }) => updater.forget());

let values = 1;
const newValue = (): string => String(++values);
const byMerge = async (updater: ForgeUpdater) =>
  updater.update({ ...(await updater.compose()), landing: "pull-request" });
const protect = ({ protectedBranches }: ForgeState, rule: Protection): void =>
  void protectedBranches.set("master", rule);
const pullsOf = ({ pulls }: ForgeState) =>
  pulls.map(({ state, merged, head }) => [head, merged ? "merged" : state]);
const saidOf = ({ statuses }: ForgeState, commit: string) =>
  statuses.filter((status) => status.commit === commit).map(({ context, state }) => [context, state]);

test("a green update is merged by fast-forward where only merges with a status may move the branch", async ({
  forge,
  lab,
  updater,
}) => {
  protect(forge.state, { requiredStatuses: [ours] });
  await lab.bump("alpha", { value: newValue() });
  const result = await byMerge(updater);
  if (result.type !== "landed") throw new Error(`it was ${result.type}`);
  const { commit } = result.validated.candidate;
  expect(await lab.branches()).toEqual({ master: commit });
  expect(pullsOf(forge.state)).toEqual([[day, "merged"]]);
  expect(forge.state.pulls[0]?.body).toContain("builds on all 2 hosts");
  // What it changes takes longer, and comes after the merge.
  expect(forge.state.comments.map(({ body }) => body)).toEqual([
    expect.stringMatching(/\*\*Landed as `[0-9a-f]{12}`\.\*\*[^]*- `host01`: /),
  ]);
  expect(saidOf(forge.state, commit)).toEqual([
    [ours, "pending"],
    [ours, "success"],
  ]);
});

test.for<[string, Protection, string]>([
  ["approvals of people", { requiredApprovals: 1 }, "requires 1 approval"],
  ["a status that others give", { requiredStatuses: ["ci/build", ours] }, "the commit statuses ci/build"],
  ["another user", { canMerge: false }, "allow homelab-bot to merge"],
])(
  "a rule that wants %s: nothing lands, and the proposal says what to change",
  async ([, rule, advice], { forge, lab, updater }) => {
    protect(forge.state, rule);
    const before = (await lab.branches())["master"];
    await lab.bump("alpha", { value: newValue() });
    const result = await byMerge(updater);
    expect(result.type === "proposed" && result.why?.advice).toContain(advice);
    expect((await lab.branches())["master"]).toBe(before);
    expect(pullsOf(forge.state)).toEqual([[day, "open"]]);
    const [pull] = forge.state.pulls;
    expect(pull?.labels.map(({ name }) => name)).toEqual(["needs-review"]);
    expect(pull?.body).toContain(advice);
  },
);

test("the branch moves while it is merged: it is carried on, in the same pull request", async ({
  forge,
  lab,
  updater,
}) => {
  protect(forge.state, { requiredStatuses: [ours] });
  await lab.bump("alpha", { value: newValue() });
  let moved = "";
  const happens = async () => (moved = await lab.commit("master", { README: newValue() }));
  forge.faults.add({ method: "POST", path: /merge$/, times: 1, effect: { type: "meanwhile", happens } });
  expect((await byMerge(updater)).type).toBe("landed");
  expect(await lab.git("-C", lab.remote, "rev-parse", "master^")).toBe(moved);
  expect(pullsOf(forge.state)).toEqual([[day, "merged"]]);
});

test("the answer to a merge is lost: it has landed, once", async ({ forge, lab, updater }) => {
  protect(forge.state, { requiredStatuses: [ours] });
  const count = async () => Number(await lab.git("-C", lab.remote, "rev-list", "--count", "master"));
  const before = await count();
  await lab.bump("alpha", { value: newValue() });
  forge.faults.add({ method: "POST", path: /merge$/, times: 1, effect: { type: "drop-after" } });
  expect((await byMerge(updater)).type).toBe("landed");
  expect(await count()).toBe(before + 1);
});

test("a pull request that a person has approved is neither closed nor written to", async ({
  forge,
  lab,
  updater,
}) => {
  await lab.bump("beta", { value: newValue(), breaks: ["host02"] });
  expect((await updater.update()).type).toBe("proposed");
  const [pull] = forge.state.pulls;
  const commit = (await lab.branches())[day] ?? "";
  expect(saidOf(forge.state, commit)).toEqual([
    [ours, "pending"],
    [ours, "failure"],
  ]);
  pull?.reviews.push({ author: "kai", state: "APPROVED" });
  const before = { ...pull };

  await lab.bump("alpha", { value: newValue() });
  const second = await updater.update();
  expect(second.type === "proposed" && second.branch).toBe(`${day}-2`);
  await lab.bump("beta", { value: newValue(), breaks: [] });
  expect((await updater.update()).type).toBe("landed");
  expect((await lab.branches())[day]).toBe(commit);
  expect({ ...pull }).toEqual(before);
  expect(pullsOf(forge.state)).toEqual([
    [day, "open"],
    [`${day}-2`, "closed"],
  ]);
});

test("the log of a failure that a later run of the day no longer has is marked as outdated", async ({
  forge,
  lab,
  updater,
}) => {
  const bodies = () => forge.state.comments.map(({ body }) => body.includes("**Outdated:**"));
  await lab.bump("beta", { value: newValue(), breaks: ["host01", "host02"] });
  expect((await updater.update()).type).toBe("proposed");
  expect((await updater.update()).type).toBe("proposed");
  expect(bodies()).toEqual([false, false]);
  await lab.bump("beta", { value: newValue(), breaks: ["host02"] });
  expect((await updater.update()).type).toBe("proposed");
  expect(bodies()).toEqual([true, true, false]);
  await lab.bump("beta", { value: newValue(), breaks: [] });
});

test("what a landed update could not tidy up, the next run does", async ({ forge, lab, updater }) => {
  await lab.bump("beta", { value: newValue(), breaks: ["host02"] });
  expect((await updater.update()).type).toBe("proposed");
  await lab.bump("beta", { value: newValue(), breaks: [] });
  const effect = { type: "answer", answer: badGateway } as const;
  forge.faults.add({ method: "PATCH", path: /./, times: 1000, effect });
  expect((await updater.update()).type).toBe("landed");
  expect(pullsOf(forge.state)).toEqual([[day, "open"]]);
  forge.faults.clear();
  expect((await updater.update()).type).toBe("no-change");
  expect(pullsOf(forge.state)).toEqual([[day, "closed"]]);
  expect(forge.state.comments.at(-1)?.body).toContain("an update landed as");
  expect(Object.keys(await lab.branches())).toEqual(["master"]);
});

test("an approval lets the same update land in the pull request that was approved", async ({
  forge,
  lab,
  updater,
}) => {
  protect(forge.state, { requiredApprovals: 1 });
  await lab.bump("alpha", { value: newValue() });
  expect((await byMerge(updater)).type).toBe("proposed");
  forge.state.pulls[0]?.reviews.push({ author: "kai", state: "APPROVED" });
  expect((await byMerge(updater)).type).toBe("landed");
  expect(pullsOf(forge.state)).toEqual([[day, "merged"]]);
});

test("a hook that refuses a merge is no race: its words are in the proposal", async ({
  forge,
  lab,
  updater,
}) => {
  await lab.bump("alpha", { value: newValue() });
  const message = "PushRejected with remote message: not on a Friday";
  const effect = { type: "answer", answer: { status: 409, body: JSON.stringify({ message }) } } as const;
  forge.faults.add({ method: "POST", path: /merge$/, times: 1, effect });
  const result = await byMerge(updater);
  expect(result.type === "proposed" && result.why).toEqual({ reason: "refused", message });
});

test("an update that breaks something now is no longer labelled as one that only has to be decided", async ({
  forge,
  lab,
  updater,
}) => {
  protect(forge.state, { canMerge: false });
  await lab.bump("alpha", { value: newValue() });
  expect((await byMerge(updater)).type).toBe("proposed");
  await lab.bump("beta", { value: newValue(), breaks: ["host02"] });
  expect((await byMerge(updater)).type).toBe("proposed");
  expect(forge.state.pulls.map(({ labels }) => labels.map(({ name }) => name))).toEqual([["build-failure"]]);
});

test("an archived repository is refused before anything is built", async ({ forge, lab, updater }) => {
  await lab.bump("beta", { value: newValue(), breaks: [] });
  forge.state.archived = true;
  await expect(updater.update()).rejects.toMatchObject({ code: "FORGE_ARCHIVED" });
  forge.state.archived = false;
  expect(Object.keys(await lab.branches())).toEqual(["master"]);
});
