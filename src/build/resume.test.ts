import { afterEach, expect, test, vi } from "vitest";
import { startRig, verdictsOf, type BuilderRig, type RigOptions } from "../../test/support/builder-rig.ts";
import { createFakeNix } from "../../test/support/fake-nix.ts";
import { systemClock } from "../base/clock.ts";
import { createMemoryBus } from "../bus/memory-bus.ts";

const rigs: BuilderRig[] = [];
async function rig(options: RigOptions): Promise<BuilderRig> {
  const started = await startRig(options);
  rigs.push(started);
  return started;
}
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

test("a failure that was known before a restart is said of the hosts that need it after it", async () => {
  const hosts = { fast: { build: "fail-shared" }, slow: { build: "fail-shared" } } as const;
  const nix = createFakeNix(new Map(Object.entries(hosts)));
  const bus = createMemoryBus(systemClock);
  const options = { repos: { homelab: hosts }, slots: 1, batchSize: 1, nix, bus };
  const evaluations = nix.hold("evaluate");
  const first = await rig(options);
  const id = await first.ask("homelab/all");
  evaluations.release(1);
  await vi.waitFor(async () =>
    expect((await first.events(id)).map(({ type }) => type)).toContain("hosts-finished"),
  );
  await first.stop();
  const second = await rig({ ...options, nix: createFakeNix(new Map(Object.entries(hosts))) });
  const state = await second.verdict(id);
  expect(state.status).toBe("failed");
  expect(verdictsOf(state)).toEqual({ fast: "build-failed", slow: "build-failed" });
  const events = await second.events(id);
  expect(events.map(({ index }) => index)).toEqual(events.map((_, index) => index));
  expect(state.failures.map(({ hosts: broken }) => broken.map(({ host }) => host))).toEqual([
    ["fast", "slow"],
  ]);
});
