// By which of its revisions a culprit breaks hosts, with real git and Nix.
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { foldEvents, type BuildState } from "../../src/protocol/build-state.ts";
import { type Commit } from "../../src/protocol/names.ts";
import { createUpdateLab } from "../support/update-lab.ts";
import { startUpdateRig, type UpdateRig } from "../support/update-rig.ts";

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

test("the fifth of eight revisions is named, and only the host that fails is built to find it", async ({
  lab,
  rig,
}) => {
  const before = (await lab.branches())["master"];
  await lab.bump("alpha", { value: "2" });
  const revisions: Commit[] = [];
  for (let number = 1; number <= 8; number++) {
    revisions.push(await lab.bump("beta", { value: `b${number}`, breaks: number < 5 ? [] : ["host02"] }));
  }
  const result = await rig.update();
  expect(result.type === "proposed" && result.found).toMatchObject({
    culprits: [["beta"]],
    bisected: [
      {
        input: "beta",
        firstBad: { rev: revisions[4], subject: "Change" },
        lastGood: revisions[3],
        probes: 3,
        skipped: 0,
      },
    ],
  });
  // The whole, the base for host02, two parts without an input, and three revisions.
  const builds = await buildsOf(rig);
  const hosts = builds.map((state) => [...state.hosts.values()].map(({ host }) => host));
  expect(hosts).toEqual([["host01", "host02", "host03"], ...Array.from({ length: 6 }, () => ["host02"])]);
  // Updated again, with nothing new: nothing is built or searched for a second time.
  expect(await rig.update()).toMatchObject({
    type: "proposed",
    found: { culprits: [["beta"]], bisected: [{ firstBad: { rev: revisions[4], subject: "Change" } }] },
  });
  expect(await buildsOf(rig)).toHaveLength(builds.length);
  // Nothing landed, and the branch has the whole update again.
  const branches = await lab.branches();
  expect(branches["master"]).toBe(before);
  expect(Object.values(branches)).toContain(result.type === "proposed" && result.validated.candidate.commit);
});

test("a revision that is broken in another way is skipped, and a range is said", async ({ lab, rig }) => {
  const revisions = [
    await lab.bump("beta", { value: "b1" }),
    await lab.bump("beta", { value: "b2", throws: ["host02"] }),
    await lab.bump("beta", { value: "b3", breaks: ["host02"] }),
  ];
  const result = await rig.update();
  expect(result.type === "proposed" && result.found?.bisected).toMatchObject([
    { lastGood: revisions[0], suspects: { count: 2, last: { rev: revisions[2] } }, skipped: 1 },
  ]);
});

test("where upstream threw its history away, that is said", async ({ lab, rig }) => {
  await lab.bump("beta", { value: "b1" });
  const beta = join(lab.directory, "beta");
  await lab.git("-C", beta, "checkout", "--quiet", "--orphan", "again");
  await lab.git("-C", beta, "commit", "--quiet", "--message", "Again");
  await lab.git("-C", beta, "branch", "--quiet", "--force", "main", "again");
  await lab.git("-C", beta, "checkout", "--quiet", "main");
  await lab.bump("beta", { value: "b2", breaks: ["host02"] });
  const result = await rig.update();
  expect(result.type === "proposed" && result.found?.bisected).toEqual([
    {
      input: "beta",
      probes: 0,
      skipped: 0,
      note: "its history cannot be read: the new revision is not known to stand on the old one",
    },
  ]);
});

async function buildsOf({ builds }: UpdateRig): Promise<readonly BuildState[]> {
  const signal = AbortSignal.timeout(30_000);
  const ids = (await builds.listBuilds(signal)).toReversed();
  return Promise.all(ids.map(async (id) => foldEvents(id, await builds.readEvents(id, 0, signal))));
}
