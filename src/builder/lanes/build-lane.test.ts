import { afterEach, expect, test } from "vitest";
import { startRig, type BuilderRig } from "../../../test/support/builder-rig.ts";
import { fakeDrv } from "../../../test/support/fake-nix.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import type { BuildId } from "../../protocol/names.ts";
import { decideStart } from "./build-lane.ts";

const rigs: BuilderRig[] = [];
afterEach(async () => {
  await Promise.all(rigs.splice(0).map(async (rig) => rig.stop()));
});

/** Time stands still but for what is skipped; only short waits end by themselves. */
function createHaltedClock(): { readonly clock: Clock; skip(milliseconds: number): void } {
  let now = systemClock.monotonic();
  const waiting = new Set<() => void>();
  const clock: Clock = {
    ...systemClock,
    monotonic: () => now,
    async sleep(milliseconds, signal) {
      if (milliseconds <= 500) return systemClock.sleep(milliseconds, signal);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.add(resolve);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      return promise.finally(() => waiting.delete(resolve));
    },
  };
  return {
    clock,
    skip(milliseconds) {
      now += milliseconds;
      for (const resolve of waiting) resolve();
    },
  };
}

async function startHalted(options: Parameters<typeof startRig>[0]) {
  const { clock, skip } = createHaltedClock();
  const rig = await startRig({ ...options, overrides: { clock } });
  rigs.push(rig);
  return { ...rig, skip };
}

test("the last process of a lane takes hosts of all requests that come soon after one another", async () => {
  const { nix, ask, events, verdict, skip } = await startHalted({
    repos: { homelab: { kernel: {}, firefox: {}, tiny: {} } },
  });
  const isEvaluated = async (id: BuildId): Promise<void> => {
    await expect.poll(async () => (await events(id)).map(({ type }) => type)).toContain("evaluated");
  };
  const held = nix.hold("realise");
  const kernel = await ask("homelab/kernel");
  await expect.poll(() => nix.realised).toEqual([[fakeDrv("kernel")]]);
  const firefox = await ask("homelab/firefox");
  await isEvaluated(firefox);
  const tiny = await ask("homelab/tiny");
  await isEvaluated(tiny);
  expect(nix.realised).toHaveLength(1);
  await expect
    .poll(() => {
      skip(3_000);
      return nix.realised;
    })
    .toHaveLength(2);
  expect(new Set(nix.realised[1])).toEqual(new Set([fakeDrv("firefox"), fakeDrv("tiny")]));
  held.release();
  await Promise.all([kernel, firefox, tiny].map(verdict));
});

test("the last hosts of a build that is being built wait for nothing", async () => {
  const { nix, ask, verdict } = await startHalted({
    repos: { homelab: { kernel: {}, tiny: {} } },
    slots: 1,
    batchSize: 1,
  });
  const [evaluations, builds] = [nix.hold("evaluate"), nix.hold("realise")];
  const id = await ask("homelab/all");
  await expect.poll(() => nix.evaluations).toHaveLength(1);
  evaluations.release(1);
  await expect.poll(() => nix.realised).toHaveLength(1);
  evaluations.release(1);
  await expect.poll(() => nix.realised).toHaveLength(2);
  builds.release();
  expect((await verdict(id)).status).toBe("succeeded");
});

test.each([
  ["nothing is ready", [0, 0, 0, true], Number.POSITIVE_INFINITY],
  ["nothing has run yet", [1, 0, Number.POSITIVE_INFINITY, true], 0],
  ["one was short, and more come", [1, 0, 200, true], 800],
  ["one was short, and this is all", [1, 0, 200, false], 0],
  ["one has just begun, and more come", [1, 1, 1000, true], 2000],
  ["one has just begun, and this is all", [1, 1, 1000, false], 0],
  ["one runs for long", [1, 1, 60_000, true], 0],
  ["one runs and one overtakes it", [5, 2, 60_000, false], Number.POSITIVE_INFINITY],
] as const)("when %s", (_, [ready, running, sinceLastStartMs, moreCome], expected) => {
  expect(decideStart({ ready, running, sinceLastStartMs, moreCome: () => moreCome })).toBe(expected);
});
