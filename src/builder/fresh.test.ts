// Requests that want everything evaluated again.
import { afterEach, expect, test } from "vitest";
import {
  createEvaluationMemory,
  startRig,
  verdictsOf,
  type BuilderRig,
} from "../../test/support/builder-rig.ts";
import { createFakeNix } from "../../test/support/fake-nix.ts";

const rigs: BuilderRig[] = [];
async function rig(options: Parameters<typeof startRig>[0] = {}): Promise<BuilderRig> {
  const started = await startRig(options);
  rigs.push(started);
  return started;
}
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

test("evaluates and lists again, and says so", async () => {
  const hosts = { web: { build: "present" } } as const;
  const nix = createFakeNix(new Map(Object.entries(hosts)));
  const { ask, verdict } = await rig({ repos: { homelab: hosts }, nix });
  await verdict(await ask("homelab/all"));
  const remembered = await verdict(await ask("homelab/all"));
  expect(nix.evaluations).toHaveLength(1);
  expect(remembered.fresh).toBeUndefined();

  const fresh = await verdict(await ask("homelab/all", { fresh: true }));
  expect(nix.evaluations).toHaveLength(2);
  expect(fresh.fresh).toBe(true);
  expect(fresh.hosts.get("homelab/web")?.evaluated?.remembered).toBe(false);
  expect(verdictsOf(fresh)).toEqual({ web: "unchanged" });
});

test("does not share what another build remembered, and shares what is being evaluated", async () => {
  const memory = createEvaluationMemory();
  const first = await rig({ repos: { homelab: { web: {} } }, memory });
  // So that it is remembered, and not built yet.
  const held = first.nix.hold("realise");
  const one = await first.ask("homelab/web");
  await expect.poll(() => first.nix.realised).toHaveLength(1);
  await first.stop();
  rigs.length = 0;

  const { nix, ask, verdict } = await rig({ repos: { homelab: { web: {} } }, memory });
  const building = nix.hold("realise");
  const usual = await ask("homelab/web");
  await expect.poll(() => nix.realised).toHaveLength(1);
  const fresh = await ask("homelab/web", { fresh: true });
  await expect.poll(() => nix.evaluations).toHaveLength(1);
  building.release();
  expect(verdictsOf(await verdict(usual))).toEqual({ web: "built" });
  expect(verdictsOf(await verdict(fresh))).toEqual({ web: "built" });
  held.release();
  expect(one).not.toBe(usual);
});
