// Repos that use the updated one as an input, as part of the decision: real Nix, real git.
import { expect, test as base } from "vitest";
import { createDownstreamOf } from "../support/downstream-of-lab.ts";
import { createUpdateLab, type UpdateLab } from "../support/update-lab.ts";
import { startUpdateRig } from "../support/update-rig.ts";

const test = base
  .extend("lab", async ({}, { onCleanup }) => {
    const lab = await createUpdateLab(["host01"]);
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("nixos", async ({ lab }) => createDownstreamOf(lab, { hosts: ["gunter", "laptop"] }))
  .extend("start", async ({ lab, nixos }, { onCleanup }) => {
    const rigs = new AsyncDisposableStack();
    onCleanup(() => rigs.disposeAsync());
    return async (settings: object, url = nixos.url) =>
      rigs.use(
        await startUpdateRig(lab, "updater", undefined, {
          repos: { nixos: { url, pollSeconds: 0 } },
          downstream: [{ repo: "nixos", input: "servers", ...settings }],
        }),
      );
  });

const tipOf = async (lab: UpdateLab) => (await lab.branches())["master"];

test("required: what breaks a host downstream is proposed and names it, with the input that does", async ({
  lab,
  nixos,
  start,
}) => {
  const rig = await start({ required: true });
  const before = await tipOf(lab);
  const theirs = await lab.git("-C", nixos.remote, "rev-parse", "master");
  await lab.bump("alpha", { value: "2" });
  // Nothing but the fleet's lock changes: downstream it is only seen where the candidate's own lock counts.
  await lab.bump("beta", { value: "2", breaks: ["gunter"] });
  const result = await rig.update();
  expect(result).toMatchObject({
    type: "proposed",
    validated: { outcome: { type: "propose", label: "build-failure", hosts: ["nixos/gunter"] } },
    found: { culprits: [["beta"]] },
  });
  if (result.type !== "proposed") return;
  const [verdict] = result.validated.downstream;
  expect(verdict).toMatchObject({ repo: "nixos", required: true, commit: theirs });
  expect(Object.fromEntries(verdict?.classes ?? [])).toEqual({ gunter: "regression", laptop: "ok" });
  expect(Object.fromEntries(result.validated.classes)).toEqual({ host01: "ok" });
  expect(await tipOf(lab)).toBe(before);

  // The rest lands by itself only through the same gate, and the remote of the other repo is never written to.
  await lab.bump("gamma", { value: "2" });
  const partly = await rig.update({ partialLanding: true });
  expect(partly).toMatchObject({
    type: "proposed",
    found: { culprits: [["beta"]], landed: { inputs: ["alpha", "gamma"] } },
  });

  await lab.bump("beta", { value: "3" });
  expect((await rig.update()).type).toBe("landed");
  expect(rig.told.at(-1)).toMatchObject({
    outcome: "landed",
    hosts: { ok: 1 },
    downstream: { nixos: { ok: 2 } },
  });
  expect(await lab.git("-C", nixos.remote, "for-each-ref", "--format=%(refname) %(objectname)")).toBe(
    `refs/heads/master ${theirs}`,
  );
});

test("advisory: it lands whatever breaks downstream, or cannot be listed, and says so", async ({
  lab,
  nixos,
  start,
}) => {
  const rig = await start({ hosts: ["gunter"] });
  await lab.bump("beta", { value: "2", breaks: ["gunter", "laptop"] });
  const result = await rig.update();
  expect(result.type === "landed" && result.validated.downstream).toMatchObject([
    { repo: "nixos", required: false, classes: new Map([["gunter", "regression"]]) },
  ]);
  expect(rig.told.at(-1)).toMatchObject({ downstream: { nixos: { regression: 1 } } });

  // From here on it is broken before the update, too.
  await lab.bump("alpha", { value: "2" });
  const again = await rig.update();
  expect(again.type === "landed" && again.validated.downstream).toMatchObject([
    { classes: new Map([["gunter", "pre-existing"]]) },
  ]);
  await nixos.commit({ "hosts.json": JSON.stringify({ hosts: ["gunter"], broken: true }) });
  await lab.bump("alpha", { value: "3" });
  const unlisted = await rig.update();
  expect(unlisted.type === "landed" && unlisted.validated.downstream).toMatchObject([
    { classes: new Map([["*", "pre-existing"]]), reason: expect.stringContaining("this flake is in pieces") },
  ]);
});

test("out of reach: advisory lands and says why, required has no verdict and lands nothing", async ({
  lab,
  start,
}) => {
  const nowhere = `file://${lab.directory}/nowhere.git`;
  const before = await tipOf(lab);
  await lab.bump("alpha", { value: "2" });
  const required = await (await start({ required: true }, nowhere)).update();
  expect(required).toMatchObject({
    type: "infra",
    validated: { outcome: { type: "infra", hosts: ["nixos/*"] } },
  });
  expect(await tipOf(lab)).toBe(before);
  const advisory = await (await start({}, nowhere)).update();
  expect(advisory.type === "landed" && advisory.validated.downstream).toMatchObject([
    { classes: new Map([["*", "infra"]]), reason: expect.stringContaining("nowhere.git") },
  ]);
});

test("required: a failure downstream that was there before is no regression", async ({
  lab,
  nixos,
  start,
}) => {
  await nixos.commit({ "hosts.json": JSON.stringify({ hosts: ["gunter", "laptop"], fails: ["laptop"] }) });
  const rig = await start({ required: true });
  await lab.bump("alpha", { value: "2" });
  const result = await rig.update();
  expect(
    result.type === "landed" && Object.fromEntries(result.validated.downstream[0]?.classes ?? []),
  ).toEqual({
    gunter: "ok",
    laptop: "pre-existing",
  });
});
