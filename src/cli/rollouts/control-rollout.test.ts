import { expect, test } from "vitest";
import { createFakeRolloutBus } from "../../../test/support/fake-rollout-bus.ts";
import { playRollout } from "../../../test/support/played-rollout.ts";
import { rolloutTime } from "../../../test/support/rollout-events.ts";
import type { RolloutBus } from "../../bus/rollout-bus.ts";
import { controlRollout, decideControl, type RolloutControl } from "./control-rollout.ts";
import { hostsToRetry } from "./retry-rollout.ts";

const signal = new AbortController().signal;
const asking = { by: "mo", reason: "lunch", now: () => new Date(rolloutTime(100)) };

async function store(bus: RolloutBus, played: ReturnType<typeof playRollout>): Promise<void> {
  let sequence = 0;
  for (const event of played.events) {
    sequence = (await bus.appendRolloutEvent(event, sequence, signal)) ?? -1;
  }
}

test.each<[RolloutControl, string]>([
  ["pause", "paused"],
  ["abort", "aborted"],
])("%s is appended to the log, and once is enough", async (control, type) => {
  const bus = createFakeRolloutBus();
  const played = playRollout();
  await store(bus, played);
  expect(await controlRollout(bus, played.id, control, asking, signal)).toMatchObject({ changed: true });
  expect((await bus.readRollout(played.id, signal)).events.at(-1)).toMatchObject({
    type,
    by: "mo",
    reason: "lunch",
    at: rolloutTime(100),
  });
  expect(await controlRollout(bus, played.id, control, asking, signal)).toMatchObject({ changed: false });
  expect((await bus.readRollout(played.id, signal)).events).toHaveLength(played.events.length + 1);
});

test("who loses against the deployer reads again, and decides again", async () => {
  const bus = createFakeRolloutBus();
  const played = playRollout();
  await store(bus, played);
  let isFirst = true;
  const slow: RolloutBus = {
    ...bus,
    async appendRolloutEvent(event, after, aborted) {
      if (isFirst) {
        isFirst = false;
        const { sequence } = await bus.readRollout(played.id, aborted);
        const over = playRollout({}, { id: played.id }).add(99, { type: "finished", outcome: "completed" });
        const end = over.events.at(-1);
        if (end !== undefined) await bus.appendRolloutEvent(end, sequence, aborted);
      }
      return bus.appendRolloutEvent(event, after, aborted);
    },
  };
  await expect(controlRollout(slow, played.id, "pause", asking, signal)).rejects.toMatchObject({
    kind: "refused",
    code: "ROLLOUT_OVER",
  });
});

test("resuming is for what is paused or halted, and nothing continues after an abort", () => {
  const running = playRollout();
  expect(decideControl(running.rollout(), "resume")).toBe(false);
  expect(decideControl(playRollout().add(2, { type: "paused", by: "mo" }).rollout(), "resume")).toBe(true);
  const halted = playRollout().add(2, { type: "halted", code: "GATE_FAILED", detail: "errors" });
  expect(decideControl(halted.rollout(), "resume")).toBe(true);
  const aborted = halted.add(3, { type: "aborted", by: "mo" }).rollout();
  expect(decideControl(aborted, "abort")).toBe(false);
  for (const control of ["pause", "resume"] as const) {
    expect(() => decideControl(aborted, control)).toThrow("is being aborted");
  }
});

test("a retry is for the hosts that do not run it, also those that were never ordered", () => {
  const played = playRollout()
    .canary()
    .orders(650, "web01")
    .ends(690, "web01", { outcome: "rolled-back" })
    .add(700, { type: "finished", outcome: "failed" });
  expect(hostsToRetry(played.rollout())).toEqual(["web01", "web02", "laptop", "gitea"]);
  expect(hostsToRetry(playRollout({}, { isPlanned: false }).rollout())).toHaveLength(5);
});
