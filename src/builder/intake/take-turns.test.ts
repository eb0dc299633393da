import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { aStatus } from "../../../test/support/builds.ts";
import { silentLog } from "../../base/log.ts";
import type { Delivery } from "../../bus/bus.ts";
import { parseBuilderName, parseRepoName } from "../../protocol/names.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";
import { createOtherBuilders, hasOthers } from "./other-builders.ts";
import { createTakeTurns } from "./take-turns.ts";

const { signal } = new AbortController();
const me = parseBuilderName("b1");

/** A builder whose queue has one request, and what it did with it. */
function builder({ isBusy, others, deliveryCount = 1 }: Scene) {
  const clock = createFakeClock();
  const waits: boolean[] = [];
  const handedBack: number[] = [];
  const delivery = { deliveryCount, handBack: (delay: number) => void handedBack.push(delay) };
  let busy = isBusy !== false;
  const take = createTakeTurns({
    others: { arePresent: async () => others },
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

const now = new Date("2026-11-23T14:10:00.000Z");
const status = (name: string, secondsAgo: number, repo = "servers"): BuilderStatus => ({
  ...aStatus(name, new Date(now.getTime() - secondsAgo * 1000).toISOString()),
  repos: [parseRepoName(repo)],
});

test.each([
  ["nobody else", [status("b1", 1)], false],
  ["another one", [status("b1", 1), status("b2", 60)], true],
  ["one that is gone", [status("b1", 1), status("b2", 70)], false],
  ["one of other repos", [status("b1", 1), status("b2", 1, "laptops")], false],
  ["one, while we have said nothing yet", [status("b2", 1, "laptops")], true],
])("others: %s", (_, statuses, expected) => {
  expect(hasOthers(statuses, me, now)).toBe(expected);
});

test("others are looked for every 20 s, and what cannot be read changes nothing", async () => {
  const clock = createFakeClock("2026-11-23T14:10:00.000Z");
  let asked = 0;
  const others = createOtherBuilders(
    {
      async listBuilders() {
        asked++;
        if (asked > 1) throw new Error("NATS is away");
        return [status("b2", 0)];
      },
    },
    me,
    { clock, log: silentLog },
  );
  expect(await Promise.all([others.arePresent(signal), others.arePresent(signal)])).toEqual([true, true]);
  expect(asked).toBe(1);
  await clock.advance(20_000);
  expect(await others.arePresent(signal)).toBe(true);
  expect(asked).toBe(2);
});
