import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { someHostState } from "../../../test/support/fake-deploy-bus.ts";
import { createFakeRolloutBus } from "../../../test/support/fake-rollout-bus.ts";
import { aRolloutEvent, aRolloutId, created, rolloutRepo } from "../../../test/support/rollout-events.ts";
import { silentLog } from "../../base/log.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import { createFleetMeasure } from "./measure-fleet.ts";
import { createNewestRollouts } from "./newest-rollouts.ts";

const signal = AbortSignal.timeout(120_000);
const start = "2026-11-29T12:00:00.000Z";

function createLab(hostStates: () => Promise<readonly HostState[]>) {
  const clock = createFakeClock(start);
  const rollouts = createFakeRolloutBus();
  let reads = 0;
  const measure = createFleetMeasure({
    repos: [rolloutRepo],
    results: { hosts: async () => [] },
    deployments: {
      async hostStates() {
        reads++;
        return hostStates();
      },
    },
    newestRollouts: createNewestRollouts(rollouts),
    clock,
    log: silentLog,
  });
  return { clock, rollouts, measure, reads: () => reads };
}

const state = (host: string, at: string) => someHostState({ repo: rolloutRepo, host, at });

test("hosts and rollouts are as NATS has them, and hosts of other repos are not ours", async () => {
  const { measure, rollouts } = createLab(async () => [
    state("web01", start),
    state("laptop", "2026-11-28T12:00:00.000Z"),
    someHostState({ repo: "desktops", host: "pc", at: start }),
  ]);
  const id = aRolloutId();
  const first = await rollouts.appendRolloutEvent(created(id), 0, signal);
  const halted = aRolloutEvent(id, { type: "halted", code: "NO_CANARY", detail: "x" });
  await rollouts.appendRolloutEvent(halted, first ?? 0, signal);
  const measured = (await measure(signal))?.get(rolloutRepo);
  expect(measured?.state).toBe("waiting");
  expect(measured?.hosts.map(({ host, isAbsent, isBehind }) => [host, isAbsent, isBehind])).toEqual([
    ["laptop", true, undefined],
    ["web01", false, undefined],
  ]);
});

test("nobody who scrapes often makes us read often", async () => {
  const { measure, clock, reads } = createLab(async () => [state("web01", start)]);
  for (let round = 0; round < 5; round++) await measure(signal);
  expect(reads()).toBe(1);
  await clock.advance(11_000);
  await measure(signal);
  expect(reads()).toBe(2);
});

test("a scrape waits for NATS only so long, and asks again", async () => {
  let isAway = true;
  const { measure, clock } = createLab(async () => {
    if (isAway) await new Promise<never>(() => undefined);
    return [];
  });
  const measured = measure(signal);
  await expect.poll(() => clock.sleepers).toBe(1);
  await clock.advance(5_000);
  expect(await measured).toBeUndefined();
  isAway = false;
  expect((await measure(signal))?.get(rolloutRepo)).toEqual({ state: "idle", hosts: [] });
});
