import { afterEach, expect, test } from "vitest";
import { fakeDrv, fakeOut } from "../../../test/support/fake-nix.ts";
import { startRig, verdictsOf, type BuilderRig } from "../../../test/support/builder-rig.ts";

const rigs: BuilderRig[] = [];
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

/** A store in which the derivation is missing the first so many times. */
async function rigWhereDerivationVanishes(times: number): Promise<BuilderRig> {
  const rig = await startRig();
  rigs.push(rig);
  let missing = times;
  const present = rig.nix.present.bind(rig.nix);
  rig.nix.present = async (path) => (path.endsWith(".drv") ? missing-- <= 0 : present(path));
  return rig;
}

test("a derivation that is missing is evaluated again, which is not a fault", async () => {
  const { nix, ask, verdict, events } = await rigWhereDerivationVanishes(1);
  const id = await ask("homelab/testvm01");
  const state = await verdict(id);
  expect(verdictsOf(state)).toEqual({ testvm01: "built" });
  expect(nix.evaluations).toHaveLength(2);
  expect((await events(id)).map(({ type }) => type)).not.toContain("retrying");
});

test("a derivation that is missing after every evaluation ends as an infrastructure fault", async () => {
  // It is there in the end, so that a builder that never stops trying fails this test instead of hanging in it.
  const { nix, ask, verdict } = await rigWhereDerivationVanishes(50);
  const state = await verdict(await ask("homelab/testvm01"));
  expect(verdictsOf(state)).toEqual({ testvm01: "infra-failed" });
  const [host] = state.hosts.values();
  expect(host?.finished?.reason).toBe("its derivation is gone from the store again (tried 3 times)");
  // The first, one for free, and the retries.
  expect(nix.evaluations).toHaveLength(4);
  // None of them is remembered, or the next build would begin with a missing derivation.
  for (let left = 50; left > 0; left--) await nix.present(fakeDrv("testvm01"));
  expect(verdictsOf(await verdict(await ask("homelab/testvm01")))).toEqual({ testvm01: "built" });
  expect(nix.evaluations).toHaveLength(5);
});

test("hosts that are evaluated one after the other cost questions by time, and not by their number", async () => {
  const names = Array.from({ length: 60 }, (_, index) => `host${index}`);
  const rig = await startRig({
    repos: { homelab: Object.fromEntries(names.map((name) => [name, { build: "present" as const }])) },
    batchSize: 1,
  });
  rigs.push(rig);
  const { validPaths } = rig.nix;
  let questions = 0;
  rig.nix.validPaths = async (...asked) => {
    questions++;
    return validPaths(...asked);
  };
  const started = performance.now();
  const state = await rig.verdict(await rig.ask("homelab/all"));
  expect(new Set(Object.values(verdictsOf(state)))).toEqual(new Set(["unchanged"]));
  expect(questions).toBeLessThanOrEqual(2 + Math.ceil((performance.now() - started) / 500));
});

test("hosts that were never built cost no question before they are built", async () => {
  const rig = await startRig({ repos: { homelab: { web: {}, mail: {} } } });
  rigs.push(rig);
  const { realise } = rig.nix;
  let questionsBefore: number | undefined;
  rig.nix.realise = async (...asked) => {
    questionsBefore ??= rig.nix.validityQuestions.flat().length;
    return realise(...asked);
  };
  const state = await rig.verdict(await rig.ask("homelab/all"));
  expect(verdictsOf(state)).toEqual({ web: "built", mail: "built" });
  expect(questionsBefore).toBe(0);
  expect(rig.nix.validityQuestions.flat()).toContain(fakeOut("web"));
});
