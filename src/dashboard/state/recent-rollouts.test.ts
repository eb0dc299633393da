import { expect, test } from "vitest";
import { createFakeRolloutBus } from "../../../test/support/fake-rollout-bus.ts";
import { playRollout } from "../../../test/support/played-rollout.ts";
import { aRolloutId } from "../../../test/support/rollout-events.ts";
import { silentLog } from "../../base/log.ts";
import type { RolloutEvent, RolloutId } from "../../protocol/rollout/rollout-events.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";
import { createRecentRollouts } from "./recent-rollouts.ts";

const finished = { type: "finished", outcome: "completed" };

function rig() {
  const bus = createFakeRolloutBus();
  const stopped = new AbortController();
  const { signal } = stopped;
  const followed: RolloutId[] = [];
  let told: readonly Rollout[] | undefined;
  const rollouts = {
    ...bus,
    followRollout(id: RolloutId, until: AbortSignal) {
      followed.push(id);
      return bus.followRollout(id, until);
    },
  };
  const recent = createRecentRollouts({ rollouts, log: silentLog }, (newest) => void (told = newest), signal);
  const tell = async (events: readonly RolloutEvent[]): Promise<void> => {
    for (const event of events) {
      const { sequence } = await bus.readRollout(event.rollout, signal);
      await bus.appendRolloutEvent(event, sequence, signal);
    }
  };
  return { recent, tell, followed, told: () => told, signal, stop: () => stopped.abort() };
}

test("one that runs is followed until it is over, and one that is over is read once", async () => {
  const { recent, tell, followed, told, stop } = rig();
  const over = playRollout({}, { id: aRolloutId(-60) }).add(3, finished);
  const open = playRollout();
  await tell(over.events);
  await tell(open.events);
  await recent.read();
  expect(told()?.map(({ id, end }) => [id, end?.outcome])).toEqual([
    [open.id, undefined],
    [over.id, "completed"],
  ]);
  await tell(open.orders(4, "testvm01").events.slice(-1));
  await expect.poll(() => told()?.[0]?.hosts.get("testvm01" as never)?.status).toBe("ordered");
  await tell(open.add(9, finished).events.slice(-1));
  await expect.poll(() => told()?.[0]?.end?.outcome).toBe("completed");
  await recent.read();
  recent.changed(open.id);
  expect(followed).toEqual([open.id]);
  stop();
});

test("a new one is known as soon as its log has news", async () => {
  const { recent, tell, told, stop } = rig();
  await recent.read();
  expect(told()).toEqual([]);
  const played = playRollout();
  await tell(played.events);
  recent.changed(played.id);
  recent.changed(played.id);
  await expect.poll(() => told()?.map(({ id }) => id)).toEqual([played.id]);
  stop();
});

test("fifty are kept, and an older one is found all the same", async () => {
  const { recent, tell, told, signal, stop } = rig();
  const all = Array.from({ length: 51 }, (_, second) =>
    playRollout({}, { id: aRolloutId(second) }).add(99, finished),
  );
  for (const { events } of all) await tell(events);
  await recent.read();
  expect(told()?.length).toBe(50);
  const [oldest] = all;
  if (oldest === undefined) throw new Error("one");
  expect(told()?.some(({ id }) => id === oldest.id)).toBe(false);
  expect((await recent.find(oldest.id, signal))?.id).toBe(oldest.id);
  expect(await recent.find(aRolloutId(-9), signal)).toBeUndefined();
  stop();
});
