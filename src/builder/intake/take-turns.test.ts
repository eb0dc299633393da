import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { aStatus } from "../../../test/support/builds.ts";
import type { Delivery } from "../../bus/bus.ts";
import { createTakeTurns } from "./take-turns.ts";

const { signal } = new AbortController();

/** A builder whose queue has one request, and what it did with it. */
function builder({ isBusy, others, deliveryCount = 1 }: Scene) {
  const clock = createFakeClock();
  const waits: boolean[] = [];
  const handedBack: number[] = [];
  const delivery = { deliveryCount, handBack: (delay: number) => void handedBack.push(delay) };
  let busy = isBusy !== false;
  const take = createTakeTurns({
    others: {
      online: async () =>
        others ? { own: undefined, others: [aStatus("b2", "2026-11-23T14:10:00.000Z")] } : undefined,
    },
    isBusy: () => busy && isBusy !== "soon",
    clock,
  });
  const next = take(async (_, options) => {
    waits.push(options?.wait ?? true);
    if (isBusy === "soon") isBusy = true;
    busy = isBusy;
    return delivery as unknown as Delivery;
  }, signal);
  return { clock, waits, handedBack, delivery, next };
}

interface Scene {
  /** `soon`: it becomes busy while it waits. */
  isBusy: boolean | "soon";
  readonly others: boolean;
  readonly deliveryCount?: number;
}

test.each([
  ["is idle", { isBusy: false, others: true }],
  ["is busy, and there is no other", { isBusy: true, others: false }],
  ["becomes busy, and there is no other", { isBusy: "soon", others: false }],
  ["becomes busy, and nobody took what it handed back", { isBusy: "soon", others: true, deliveryCount: 2 }],
] as const)("who %s waits at the queue, and takes what comes", async (_, scene) => {
  const { waits, handedBack, delivery, next } = builder({ ...scene });
  expect(await next).toBe(delivery);
  expect(waits).toEqual([true]);
  expect(handedBack).toEqual([]);
});

test("who is busy where there are others takes only what was left lying", async () => {
  const { clock, waits, delivery, next } = builder({ isBusy: true, others: true });
  await clock.advance(249);
  expect(waits).toEqual([]);
  await clock.advance(1);
  expect(await next).toBe(delivery);
  expect(waits).toEqual([false]);
});

test("what comes to who has become busy meanwhile goes to another at once", async () => {
  const { handedBack, next } = builder({ isBusy: "soon", others: true });
  expect(await next).toBeUndefined();
  expect(handedBack).toEqual([0]);
});
