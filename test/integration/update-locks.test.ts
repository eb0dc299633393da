// Updates of locks as people commit them, and of inputs as upstream keeps them, with real Nix and git.
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createUpdateLab, type UpdateLab } from "../support/update-lab.ts";
import { startUpdateRig } from "../support/update-rig.ts";

const test = base
  .extend("lab", async ({}, { onCleanup }) => {
    const lab = await createUpdateLab(["host01"]);
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("rig", async ({ lab }, { onCleanup }) => {
    const rig = await startUpdateRig(lab);
    onCleanup(() => rig[Symbol.asyncDispose]());
    return rig;
  });

const dayMs = 24 * 3_600_000;
const daysAgo = (days: number): Date => new Date(Date.now() - days * dayMs);
const textOf = async (lab: UpdateLab, path: string): Promise<string> => lab.show("master", path);
const subject = async (lab: UpdateLab): Promise<string> =>
  lab.git("-C", lab.remote, "log", "-1", "--format=%s%n%b", "master");

/** An input of `alpha`, which has no lock: so it floats below it. */
async function addDeep(
  lab: UpdateLab,
): Promise<(value: string, breaks?: readonly string[]) => Promise<void>> {
  const deep = join(lab.directory, "deep");
  await lab.git("init", "--quiet", "--initial-branch=main", deep);
  await writeFile(
    join(deep, "flake.nix"),
    "{ outputs = { self }: { state = builtins.fromJSON (builtins.readFile ./state.json); }; }\n",
  );
  const move = async (value: string, breaks: readonly string[] = []): Promise<void> => {
    await writeFile(join(deep, "state.json"), JSON.stringify({ value, breaks }));
    await lab.git("-C", deep, "add", "--all");
    await lab.git("-C", deep, "commit", "--quiet", "--message", `Be ${value}`);
  };
  await move("d1");
  await writeFile(
    join(lab.directory, "alpha/flake.nix"),
    `{ inputs.deep.url = "git+file://${deep}"; outputs = { self, deep }: { inherit (deep) state; }; }\n`,
  );
  await lab.bump("alpha", { value: "2" });
  return move;
}

test("what moves below an input is seen, lands, and is what is a culprit when it breaks a host", async ({
  lab,
  rig,
}) => {
  const move = await addDeep(lab);
  expect((await rig.update()).type).toBe("landed");
  await move("d2");
  expect((await rig.update()).type).toBe("landed");
  expect(await subject(lab)).toMatch(/^flake.lock: update alpha\n\s*alpha\/deep: [0-9a-f]{7} → /);

  await move("d3", ["host01"]);
  await lab.bump("beta", { value: "2" });
  const result = await rig.update({ partialLanding: true });
  expect(result).toMatchObject({
    type: "proposed",
    found: { culprits: [["alpha"]], landed: { inputs: ["beta"] } },
  });
  const [bisected] = (result.type === "proposed" && result.found?.bisected) || [];
  expect(bisected).toMatchObject({
    input: "alpha",
    note: expect.stringContaining("below it: alpha/deep") as string,
  });
});

test("two inputs that break a host only together are named together", async ({ lab, rig }) => {
  await lab.bump("alpha", { value: "2", needs: { beta: "1" } });
  await lab.bump("beta", { value: "2" });
  await lab.bump("gamma", { value: "2" });
  const result = await rig.update();
  const groups = (result.type === "proposed" && result.found?.culprits) || [];
  expect(groups.map((inputs) => inputs.toSorted())).toEqual([["alpha", "beta"]]);
});

test("a commit is never dated before its parent, however old its inputs are", async ({ lab, rig }) => {
  await lab.bump("alpha", { value: "2" }, daysAgo(5));
  const parent = await lab.git("-C", lab.remote, "log", "-1", "--format=%ct", "master");
  expect((await rig.update()).type).toBe("landed");
  expect(await lab.git("-C", lab.remote, "log", "-1", "--format=%ct", "master")).toBe(parent);
});

test("backwards is what its history says, and not the clocks of those who committed it", async ({
  lab,
  rig,
}) => {
  // Its date is before that of the commit that it stands on.
  await lab.bump("alpha", { value: "2" }, daysAgo(9));
  expect((await rig.update()).type).toBe("landed");
  // Forced back, to a commit with a later date.
  await lab.git("-C", join(lab.directory, "alpha"), "reset", "--quiet", "--hard", "HEAD~1");
  expect(await rig.update()).toMatchObject({
    type: "proposed",
    why: { reason: "downgrade", message: "alpha is older than before: its old commit stands on its new one" },
  });
});

test("inputs without a usable time land", async ({ lab, rig }) => {
  const data = join(lab.directory, "data");
  await mkdir(data);
  const write = async (text: string): Promise<void> => {
    await writeFile(join(data, "list"), text);
    // As of all that is in the Nix store.
    await utimes(join(data, "list"), 1, 1);
    await utimes(data, 1, 1);
  };
  await write("1");
  const flake = await textOf(lab, "flake.nix");
  await lab.commit("master", {
    "flake.nix": flake
      .replace("  inputs = {", `  inputs.data = { url = "path:${data}"; flake = false; };\n  inputs = {`)
      .replace("outputs = { self,", "outputs = { self, data,"),
  });
  // An input that flake.nix has and its lock has not: the base lists no hosts, and the update mends that.
  expect(await rig.update()).toMatchObject({
    type: "landed",
    validated: { classes: new Map([["host01", "unchanged"]]) },
  });
  await write("2");
  expect((await rig.update()).type).toBe("landed");
  expect(await subject(lab)).toMatch(/^flake.lock: update data\n\s*data: sha256-\S+ → sha256-\S+\n/);
});

test("a follows that points nowhere, and an input that is gone from flake.nix, are mended", async ({
  lab,
  rig,
}) => {
  const lock = JSON.parse(await textOf(lab, "flake.lock")) as {
    nodes: Record<string, { inputs?: Record<string, unknown> }>;
  };
  const { alpha = {}, ...nodes } = lock.nodes;
  const flake = await textOf(lab, "flake.nix");
  await lab.commit("master", {
    "flake.lock": JSON.stringify({
      ...lock,
      nodes: { ...nodes, alpha: { ...alpha, inputs: { nixpkgs: ["gone"] } } },
    }),
    "flake.nix": flake
      .replace(/\n {4}gamma\.url.*/, "")
      .replace("beta, gamma }", "beta }")
      .replace(/\n {8}gamma = gamma\.state;/, ""),
  });
  await lab.bump("beta", { value: "2" });
  // Only beta is asked for: what flake.nix demands goes along.
  expect((await rig.update({ inputs: ["beta"] })).type).toBe("landed");
  const landed = JSON.parse(await textOf(lab, "flake.lock")) as typeof lock;
  expect(Object.keys(landed.nodes)).toEqual(["alpha", "beta", "root"]);
  expect(landed.nodes["alpha"]).not.toHaveProperty("inputs");
  expect((await rig.update()).type).toBe("no-change");
});

test("a lock that lags behind flake.nix excuses nothing that an input breaks", async ({ lab, rig }) => {
  const flake = await textOf(lab, "flake.nix");
  await lab.commit("master", {
    "flake.nix": flake.replaceAll("alpha", "renamed").replace('/renamed"', '/alpha"'),
  });
  const culprits = await lab.bump("gamma", { value: "2", breaks: ["host01"] });
  await lab.bump("beta", { value: "2" });
  const result = await rig.update({ policy: { preExisting: "allow" }, partialLanding: true });
  expect(result).toMatchObject({
    type: "proposed",
    found: { culprits: [["gamma"]], landed: { inputs: ["beta"] } },
    validated: { classes: new Map([["host01", "regression"]]) },
  });
  expect(await textOf(lab, "flake.lock")).not.toContain(culprits);
});

test("an input that takes the last host away is named", async ({ lab, rig }) => {
  await lab.bump("beta", { value: "2" });
  await lab.bump("gamma", { value: "2", removes: ["host01"] });
  expect(await rig.update()).toMatchObject({
    type: "proposed",
    found: { culprits: [["gamma"]] },
    validated: { classes: new Map([["host01", "missing-host"]]) },
  });
});
