import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { branchOfDay } from "../../src/update/branch/decide-branch.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Forge } from "../../src/forge/forge.ts";
import { parseBranchName } from "../../src/protocol/names.ts";
import { missingRefHint } from "../../src/nix/words/missing-ref.ts";
import { nodeAt, parseFlakeLock, printFlakeLock } from "../../src/nix/lock/flake-lock.ts";
import { createMemoryJournal } from "../../src/update/journal.ts";
import { tidyBranches } from "../../src/update/branch/tidy-branches.ts";
import { createUpdateLab } from "../support/update-lab.ts";
import { startUpdateRig, type UpdateRig } from "../support/update-rig.ts";

const day = branchOfDay(new Date());
/** As the rig has it. */
const bot = { email: "bot@homelab.invalid" };

const test = base
  .extend("lab", async ({}, { onCleanup }) => {
    const lab = await createUpdateLab();
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("rig", async ({ lab }, { onCleanup }) => {
    const rig = await startUpdateRig(lab);
    onCleanup(() => rig[Symbol.asyncDispose]());
    return rig;
  });

test("green: the update lands as it was validated, and its branch is gone", async ({ lab, rig }) => {
  const before = (await lab.branches())["master"];
  const alpha = await lab.bump("alpha", { value: "2" });
  const result = await rig.update();
  expect(result.type).toBe("landed");
  const branches = await lab.branches();
  expect(Object.keys(branches)).toEqual(["master"]);
  expect(await lab.git("-C", lab.remote, "rev-parse", "master^")).toBe(before);
  expect(await lab.show("master", "flake.lock")).toContain(alpha);
  expect(await lab.git("-C", lab.remote, "log", "-1", "--format=%s by %an", "master")).toBe(
    "flake.lock: update alpha by bot",
  );
  expect(rig.told.map(({ outcome, inputs, hosts }) => [outcome, inputs, hosts])).toEqual([
    ["landed", ["alpha"], { ok: 3 }],
  ]);
  // And now there is nothing left to do.
  expect((await rig.update()).type).toBe("no-change");
  expect(await lab.branches()).toEqual(branches);
  expect(rig.told.map(({ outcome }) => outcome)).toEqual(["landed", "no-change"]);
});

test("nothing new: no branch, no commit", async ({ lab, rig }) => {
  const before = await lab.branches();
  expect((await rig.update()).type).toBe("no-change");
  expect(await lab.branches()).toEqual(before);
});

test("red: nothing lands, and the update stays on its branch", async ({ lab, rig }) => {
  const before = (await lab.branches())["master"];
  await lab.bump("beta", { value: "2", breaks: ["host02"], throws: ["host03"] });
  const result = await rig.update();
  expect(result.type).toBe("proposed");
  if (result.type !== "proposed") return;
  expect(Object.fromEntries(result.validated.classes)).toEqual({
    host01: "ok",
    host02: "regression",
    host03: "eval-error",
  });
  const branches = await lab.branches();
  expect(branches["master"]).toBe(before);
  expect(branches[day]).toBe(result.validated.candidate.commit);
});

test("a host that the update takes away is a failure", async ({ lab, rig }) => {
  await lab.bump("beta", { removes: ["host02"] });
  const result = await rig.update();
  expect(result.type === "proposed" && result.validated.classes.get("host02")).toBe("missing-host");
});

test("what was broken before blocks, or is allowed by policy", async ({ lab, rig }) => {
  await lab.commit("master", {
    "hosts.json": JSON.stringify({ hosts: ["host01", "host02", "host03"], broken: ["host01"] }),
  });
  await lab.bump("alpha", { value: "2" });
  const blocked = await rig.update();
  expect(blocked.type === "proposed" && blocked.validated.outcome).toMatchObject({
    type: "propose",
    label: "needs-review",
  });
  const allowed = await rig.update({ policy: { preExisting: "allow" } });
  expect(allowed.type).toBe("landed");
});

test("a host that failed at the base in a build of before is fixed, whether it did not build or not evaluate", async ({
  lab,
  rig,
}) => {
  await lab.bump("alpha", { value: "2", breaks: ["host01"], throws: ["host02"] });
  const broken = await rig.update();
  // A person lands it all the same, and builds it.
  if (broken.type !== "proposed") throw new Error(`it was ${broken.type}`);
  const { commit } = broken.validated.candidate;
  await lab.git("-C", lab.remote, "update-ref", "refs/heads/master", commit);
  await lab.bump("alpha", { value: "3" });
  const result = await rig.update();
  expect(result.type === "landed" && Object.fromEntries(result.validated.classes)).toEqual({
    host01: "fixed",
    host02: "fixed",
    host03: "ok",
  });
});

test("master moves once: the update is carried onto the new tip and validated there", async ({
  lab,
  rig,
}) => {
  await lab.bump("alpha", { value: "2" });
  let moved = "";
  const result = await rig.update({
    upstream: movingUpstream(rig, async () => (moved = await lab.commit("master", { README: "meanwhile" }))),
  });
  expect(result.type).toBe("landed");
  expect(await lab.git("-C", lab.remote, "rev-parse", "master^")).toBe(moved);
  expect(await lab.show("master", "README")).toBe("meanwhile");
});

test("master moves again and again: after three rounds a person is asked", async ({ lab, rig }) => {
  await lab.bump("alpha", { value: "2" });
  let times = 0;
  const result = await rig.update({
    upstream: movingUpstream(rig, () => lab.commit("master", { README: `meanwhile ${times++}` }), 10),
  });
  expect(result.type).toBe("proposed");
  expect(result.type === "proposed" && result.why?.message).toContain("moved 3 times");
  expect(await lab.show("master", "README")).toContain("meanwhile");
});

test("an input that went back in time builds, but a person decides", async ({ lab, rig }) => {
  await lab.bump("alpha", { value: "2" });
  expect((await rig.update()).type).toBe("landed");
  const before = (await lab.branches())["master"];
  await lab.git("-C", join(lab.directory, "alpha"), "reset", "--quiet", "--hard", "HEAD~1");
  const dry = await rig.update({ dryRun: true });
  expect(dry).toMatchObject({ type: "dry-run", wouldLand: false, why: { reason: "downgrade" } });
  const result = await rig.update();
  expect(result).toMatchObject({
    type: "proposed",
    why: { reason: "downgrade", message: "alpha is older than before: its old commit stands on its new one" },
  });
  expect((await lab.branches())["master"]).toBe(before);
});

test("a push that a hook refuses becomes a proposal with the hook's words", async ({ lab, rig }) => {
  const before = (await lab.branches())["master"];
  await lab.bump("alpha", { value: "2" });
  await mkdir(join(lab.remote, "hooks"), { recursive: true });
  const hook = join(lab.remote, "hooks/update");
  await writeFile(
    hook,
    '#!/bin/sh\n[ "$1" != refs/heads/master ] || { echo "error: Not allowed to push to protected branch master" >&2; exit 1; }\n',
  );
  await chmod(hook, 0o755);
  const result = await rig.update();
  expect(result.type === "proposed" && result.why?.message).toContain(
    "Not allowed to push to protected branch master",
  );
  expect((await lab.branches())["master"]).toBe(before);
});

test("an infrastructure fault lands nothing and says nothing, and the next run continues", async ({
  lab,
  rig,
}) => {
  const before = await lab.branches();
  await lab.bump("alpha", { value: "2" });
  await rename(lab.remote, `${lab.remote}.away`);
  await expect(rig.update()).rejects.toMatchObject({ kind: "unavailable" });
  await rename(`${lab.remote}.away`, lab.remote);
  expect(await lab.branches()).toEqual(before);
  expect((await rig.update()).type).toBe("landed");
});

test("work of a person on our branch is left alone", async ({ lab, rig }) => {
  await lab.bump("beta", { breaks: ["host02"] });
  await rig.update();
  const human = await lab.commit(day, { "hosts.json": JSON.stringify({ hosts: ["host01"] }) });
  await lab.bump("alpha", { value: "3" });
  const result = await rig.update();
  expect(result.type === "proposed" && result.branch).toBe(`${day}-2`);
  expect((await lab.branches())[day]).toBe(human);
});

test("a dry run leaves nothing behind", async ({ lab, rig }) => {
  const before = await lab.branches();
  await lab.bump("alpha", { value: "2" });
  expect(await rig.update({ dryRun: true })).toMatchObject({ type: "dry-run", wouldLand: true });
  await lab.bump("alpha", { value: "3", breaks: ["host01"] });
  expect(await lab.branches()).toEqual(before);
});

test("only the inputs that are asked for", async ({ lab, rig }) => {
  await lab.bump("alpha", { value: "2" });
  await lab.bump("beta", { value: "2", breaks: ["host01"] });
  const result = await rig.update({ inputs: ["alpha"] });
  expect(result.type).toBe("landed");
  expect(await lab.git("-C", lab.remote, "log", "-1", "--format=%s", "master")).toBe(
    "flake.lock: update alpha",
  );
});

test("a run for some inputs that did not end is not taken for one of all", async ({ lab, rig }) => {
  await lab.bump("alpha", { value: "2" });
  const beta = await lab.bump("beta", { value: "2" });
  const away = "upstream is away";
  const broken = { listHosts: () => Promise.reject(new Error(away)), updateLock: rig.upstream.updateLock };
  await expect(rig.update({ inputs: ["alpha"], upstream: broken })).rejects.toThrow(away);
  const [failed] = rig.told;
  expect(failed).toMatchObject({
    outcome: "failed",
    reason: away,
    run: (await rig.journal()).last("started")?.run,
  });
  expect((await rig.update()).type).toBe("landed");
  expect(await lab.show("master", "flake.lock")).toContain(beta);
});

test("the input that takes a host away is named", async ({ lab, rig }) => {
  await lab.bump("alpha", { value: "2" });
  await lab.bump("beta", { value: "2", removes: ["host02"] });
  const result = await rig.update();
  expect(result.type === "proposed" && result.found).toMatchObject({ culprits: [["beta"]] });
});

test("an input that cannot be reached stays as it is, and the others land; of none nothing does", async ({
  lab,
  rig,
}) => {
  const alpha = await lab.bump("alpha", { value: "2" });
  const beta = await lab.git("-C", join(lab.directory, "beta"), "rev-parse", "HEAD");
  await rename(join(lab.directory, "beta"), join(lab.directory, "elsewhere"));
  expect((await rig.update()).type).toBe("landed");
  const lock = await lab.show("master", "flake.lock");
  expect([alpha, beta].map((rev) => lock.includes(rev))).toEqual([true, true]);
  expect((await rig.journal()).last("resolved")?.unavailable).toMatchObject([{ input: "beta" }]);

  for (const name of ["alpha", "gamma"])
    await rename(join(lab.directory, name), join(lab.directory, `no-${name}`));
  await expect(rig.update()).rejects.toMatchObject({ kind: "unavailable", code: "INPUT_UPDATE_FAILED" });
});

test("a branch that is gone upstream is a finding at once, even if Nix uses what it had", async ({
  lab,
  rig,
}) => {
  const beta = join(lab.directory, "beta");
  await lab.git("-C", beta, "branch", "kept-here");
  const flake = await lab.show("master", "flake.nix");
  const lock = parseFlakeLock(await lab.show("master", "flake.lock"));
  const ref = "kept-here";
  const { locked = { type: "git" }, original = { type: "git" } } = nodeAt(lock, "beta");
  const nodes = { ...lock.nodes, beta: { locked: { ...locked, ref }, original: { ...original, ref } } };
  await lab.commit("master", {
    "flake.nix": flake.replace(/\/beta"/, `/beta?ref=${ref}"`),
    "flake.lock": printFlakeLock({ ...lock, nodes }),
  });
  expect((await rig.update()).type).toBe("no-change");
  await lab.git("-C", beta, "branch", "-D", "kept-here");
  const alpha = await lab.bump("alpha", { value: "2" });
  expect((await rig.update()).type).toBe("landed");
  expect(await lab.show("master", "flake.lock")).toContain(alpha);
  expect((await rig.journal()).last("resolved")?.unavailable).toMatchObject([
    { input: "beta", kind: "failed", hint: missingRefHint },
  ]);
});

test("the branch of a day that is over is deleted, unless it is somebody's", async ({ lab, rig }) => {
  const twoDaysAgo = new Date(Date.now() - 48 * 3_600_000);
  const old = branchOfDay(twoDaysAgo);
  await lab.bump("beta", { value: "2", breaks: ["host02"] });
  await rig.update({ clock: { ...systemClock, now: () => twoDaysAgo } });
  await lab.git("-C", lab.remote, "branch", `${old}-2`, old);
  await lab.commit(`${old}-2`, { "hosts.json": JSON.stringify({ hosts: ["host01"] }) });
  const tidy = async (pullRequests: Forge["pullRequests"]): Promise<readonly string[]> => {
    const options = { journal: createMemoryJournal(), branch: parseBranchName("master"), author: bot };
    const forge = { pullRequests };
    await tidyBranches(
      { ...options, repository: rig.repository, forge, clock: systemClock, log: silentLog },
      AbortSignal.timeout(30_000),
    );
    return Object.keys(await lab.branches());
  };
  const away = Promise.reject(new Error("the forge is away"));
  await expect(tidy(() => away)).rejects.toThrow("away");
  expect(Object.keys(await lab.branches())).toEqual([old, `${old}-2`, "master"]);
  expect(await tidy(async () => [])).toEqual([`${old}-2`, "master"]);
});

test("what was broken before does not hide the input that breaks more", async ({ lab, rig }) => {
  await lab.commit("master", {
    "hosts.json": JSON.stringify({ hosts: ["host01", "host02", "host03"], broken: ["host01"] }),
  });
  await lab.bump("alpha", { value: "2" });
  await lab.bump("beta", { value: "2", breaks: ["host02"] });
  const result = await rig.update({ policy: { preExisting: "allow" }, partialLanding: true });
  expect(result.type === "proposed" && result.found).toMatchObject({
    culprits: [["beta"]],
    landed: { inputs: ["alpha"] },
  });
});

test("the culprit is named, and without partial landing nothing lands", async ({ lab, rig }) => {
  const before = (await lab.branches())["master"];
  await lab.bump("alpha", { value: "2" });
  await lab.bump("beta", { value: "2", breaks: ["host02"] });
  await lab.bump("gamma", { value: "2" });
  const result = await rig.update();
  expect(result.type === "proposed" && result.found).toMatchObject({ culprits: [["beta"]] });
  expect((await lab.branches())["master"]).toBe(before);
  // The branch has the whole update again, not the last part that was tried.
  expect((await lab.branches())[day]).toBe(
    result.type === "proposed" ? result.validated.candidate.commit : "",
  );
});

test("partial landing: of three inputs the two good ones land, and the bad one is proposed on top", async ({
  lab,
  rig,
}) => {
  const alpha = await lab.bump("alpha", { value: "2" });
  const beta = await lab.bump("beta", { value: "2", breaks: ["host02"] });
  const gamma = await lab.bump("gamma", { value: "2" });
  const result = await rig.update({ partialLanding: true });
  expect(result.type === "proposed" && result.found?.landed?.inputs).toEqual(["alpha", "gamma"]);
  const lock = await lab.show("master", "flake.lock");
  expect([alpha, beta, gamma].map((rev) => lock.includes(rev))).toEqual([true, false, true]);
  expect(await lab.git("-C", lab.remote, "rev-parse", `${day}^`)).toBe((await lab.branches())["master"]);
  expect(await lab.show(day, "flake.lock")).toContain(beta);
  expect(rig.told.map(({ outcome, inputs }) => [outcome, inputs])).toEqual([
    ["landed", ["alpha", "gamma"]],
    ["proposed", ["beta"]],
  ]);
});

/** Upstream as it is; but whenever the base is listed, which is right before landing, something happens first. */
function movingUpstream({ upstream }: UpdateRig, happen: () => Promise<unknown>, times = 1) {
  let left = times;
  return {
    updateLock: upstream.updateLock,
    async listHosts(...args: Parameters<typeof upstream.listHosts>) {
      if (left-- > 0) await happen();
      return upstream.listHosts(...args);
    },
  };
}
