import { expect, test } from "vitest";
import { requireTip } from "../../test/support/fake-repository.ts";
import { lockText, master, simulateUpdate } from "../../test/support/simulated-update.ts";
import type { Commit } from "../protocol/names.ts";
import type { Publishing } from "./update.ts";
import { runUpdate } from "./update-run.ts";
import { createLanding } from "./land/landing.ts";

const signal = AbortSignal.timeout(60_000);
const day = "flake-update/2026-11-23";

/** A run alone, which lands by push, and what it told about commits. */
async function simulateRun() {
  const sim = await simulateUpdate();
  const { run, source, judging, searching, proposing } = sim.options;
  const statuses: string[] = [];
  const publishing: Publishing = {
    land: createLanding({
      way: "push",
      ...source,
      ...proposing,
      forge: undefined,
      clock: run.clock,
      log: run.log,
    }),
    tellStatus: async (_commit, { state }) => void statuses.push(state),
    branchesOfPeople: async () => new Set(),
  };
  const update = async (changed: object = {}) =>
    runUpdate({ run, source, judging, searching, publishing, ...changed }, signal);
  return { ...sim, sim, statuses, publishing, update };
}

test("what builds everywhere lands as exactly the commit that was validated", async () => {
  const { update, repository, statuses, builds, statesAt } = await simulateRun();
  const result = await update();
  if (result.type !== "landed") throw new Error(`it was ${result.type}`);
  const { commit } = result.candidate;
  expect(repository.tip(master)).toBe(commit);
  expect(repository.tip(day)).toBe(commit);
  expect(await statesAt(commit)).toEqual({ alpha: 2, beta: 2 });
  expect(builds.requests.map(({ rev }) => rev)).toEqual([commit]);
  expect(statuses).toEqual(["pending", "success"]);
});

test("nothing new: nothing is pushed or built", async () => {
  const { update, sim, repository, builds, journal } = await simulateRun();
  sim.newest = { alpha: 1, beta: 1 };
  const before = new Map(repository.refs);
  expect(await update()).toMatchObject({ type: "no-change" });
  expect(repository.refs).toEqual(before);
  expect(builds.requests).toEqual([]);
  expect(journal.last("ended")).toMatchObject({ outcome: "no-change" });
});

test("a dry run pushes nothing and tells nobody", async () => {
  const { sim, update, repository, statuses } = await simulateRun();
  sim.buildsLocally = true;
  const before = new Map(repository.refs);
  expect(await update({ publishing: undefined })).toMatchObject({ type: "dry-run", wouldLand: true });
  expect(repository.refs).toEqual(before);
  expect(statuses).toEqual([]);
});

test("what breaks a host does not land, and the input that does it is named", async () => {
  const { update, sim, repository, statuses } = await simulateRun();
  sim.verdict = (states, host) => (states["beta"] === 2 && host === "db" ? "build-failed" : "built");
  const before = repository.tip(master);
  const result = await update();
  if (result.type !== "broken") throw new Error(`it was ${result.type}`);
  expect(Object.fromEntries(result.classes)).toEqual({ web: "ok", db: "regression" });
  expect(result.found).toMatchObject({ culprits: [["beta"]] });
  expect(repository.tip(master)).toBe(before);
  // The branch has the whole update again, and none of its parts.
  expect(repository.tip(result.branch)).toBe(result.candidate.commit);
  expect(statuses).toEqual(["pending", "failure"]);
});

test("with partial landing the rest lands, and what is left stands on top of it", async () => {
  const { update, sim, options, repository, statesAt } = await simulateRun();
  sim.verdict = (states) => (states["beta"] === 2 ? "build-failed" : "built");
  const result = await update({ searching: { ...options.searching, partialLanding: true } });
  if (result.type !== "broken") throw new Error(`it was ${result.type}`);
  const tip = repository.tip(master);
  expect(result.found?.landed).toEqual({ commit: tip, inputs: ["alpha"] });
  expect(result.candidate.base).toBe(tip);
  expect(await statesAt(result.candidate.commit)).toEqual({ alpha: 2, beta: 2 });
});

test("without a budget nothing is looked for", async () => {
  const { update, sim, options, builds } = await simulateRun();
  sim.verdict = (states) => (states["beta"] === 2 ? "build-failed" : "built");
  const searching = { ...options.searching, search: { parts: 0, milliseconds: 60_000 } };
  expect(await update({ searching })).toMatchObject({ found: undefined });
  // The candidate, and its base for comparison.
  expect(builds.requests).toHaveLength(2);
});

test("a fault of the infrastructure is no verdict: nothing lands, and the next run asks again", async () => {
  const { update, sim, builds, repository, journal } = await simulateRun();
  sim.verdict = () => "infra-failed";
  const before = repository.tip(master);
  expect((await update()).type).toBe("infra");
  expect(repository.tip(master)).toBe(before);
  expect(journal.last("validated")).toBeUndefined();
  sim.verdict = () => "built";
  expect((await update()).type).toBe("landed");
  expect(new Set(builds.requests.map(({ rev }) => rev)).size).toBe(1);
  expect(new Set(builds.requests.map(({ id }) => id)).size).toBe(2);
});

test("a run that was ended is resumed with the lock and the build that it had", async () => {
  const { update, sim, builds, publishing, repository, statesAt } = await simulateRun();
  const land = async () => Promise.reject(new Error("the machine went down"));
  await expect(update({ publishing: { ...publishing, land } })).rejects.toThrow("the machine went down");
  sim.newest = { alpha: 3, beta: 3 };
  expect((await update()).type).toBe("landed");
  expect(await statesAt(requireTip(repository, master))).toEqual({ alpha: 2, beta: 2 });
  expect(builds.requests).toHaveLength(1);
});

test("a run of the day before yesterday is not resumed", async () => {
  const { update, sim, clock, publishing, repository, statesAt } = await simulateRun();
  const land = async () => Promise.reject(new Error("the machine went down"));
  await expect(update({ publishing: { ...publishing, land } })).rejects.toThrow("went down");
  await clock.advance(25 * 3_600_000);
  sim.newest = { alpha: 3, beta: 3 };
  expect((await update()).type).toBe("landed");
  expect(await statesAt(requireTip(repository, master))).toEqual({ alpha: 3, beta: 3 });
});

/** While it is validated a person pushes, so many times. */
function movingBranch({ sim, repository }: Awaited<ReturnType<typeof simulateRun>>, times: number) {
  const pushed: Commit[] = [];
  sim.onList = async () => {
    if (pushed.length < times) pushed.push(await repository.person(master, { README: `${pushed.length}` }));
  };
  return pushed;
}

test("the branch moves once while it is validated: it is carried on, and validated there", async () => {
  const running = await simulateRun();
  const pushed = movingBranch(running, 1);
  expect(await running.update()).toMatchObject({ type: "landed", candidate: { base: pushed[0] } });
  expect(running.builds.requests).toHaveLength(2);
});

test("the branch moves again and again: after three rounds a person is asked", async () => {
  const running = await simulateRun();
  const pushed = movingBranch(running, 10);
  expect(await running.update()).toMatchObject({ type: "not-landed", why: { reason: "race" } });
  expect(running.builds.requests).toHaveLength(3);
  expect(running.repository.tip(master)).toBe(pushed[2]);
});

test("an input that went back in time builds, and a person decides", async () => {
  const { update, sim, repository } = await simulateRun();
  await repository.person(master, { "flake.lock": lockText({ alpha: 1, beta: 5 }) });
  sim.newest = { alpha: 1, beta: 2 };
  const before = repository.tip(master);
  expect(await update()).toMatchObject({ type: "not-landed", why: { reason: "downgrade" } });
  expect(repository.tip(master)).toBe(before);
});

test("a server that refuses the push is heard, and not asked again", async () => {
  const { update, repository } = await simulateRun();
  repository.refusals.set(`refs/heads/${master}`, "Not allowed to push to protected branch master");
  expect(await update()).toMatchObject({
    type: "not-landed",
    why: { reason: "refused", message: "Not allowed to push to protected branch master" },
  });
});

test("only the inputs that are asked for; a name that is none is refused before anything is built", async () => {
  const { update, options, repository, statesAt, builds } = await simulateRun();
  const source = { ...options.source, inputs: ["alpha"] };
  expect((await update({ source })).type).toBe("landed");
  expect(await statesAt(requireTip(repository, master))).toEqual({ alpha: 2, beta: 1 });
  const asked = builds.requests.length;
  const failing = update({ source: { ...source, inputs: ["alhpa"] } });
  await expect(failing).rejects.toMatchObject({ code: "UNKNOWN_FLAKE_INPUT", hint: "did you mean alpha?" });
  expect(builds.requests).toHaveLength(asked);
});

test("a branch that a person has worked on is left alone", async () => {
  const { update, repository } = await simulateRun();
  const theirs = await repository.person(day, { "flake.nix": "" });
  const result = await update();
  expect(result).toMatchObject({ type: "landed", branch: `${day}-2` });
  expect(repository.tip(day)).toBe(theirs);
});
