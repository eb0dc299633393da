import { setImmediate } from "node:timers/promises";
import { onTestFinished, expect, test } from "vitest";
import { signedOrder } from "../../../test/support/deploy-orders.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { createNotifier } from "../../base/notifier.ts";
import { silentLog } from "../../base/log.ts";
import type { StoredOrder } from "../../bus/deploy-bus.ts";
import type { DeployCode } from "../../protocol/deploy/deploy-codes.ts";
import { unverifiedOrderOrNothing, type OrderId } from "../../protocol/deploy/order.ts";
import type { ActivatorRequest } from "../activator-messages.ts";
import type { OrderDecision } from "../decide-order.ts";
import { createAllowance } from "./allowance.ts";
import { handOver } from "./hand-over.ts";
import type { JournalView } from "./journal-watch.ts";

/** A hand-over beside a subject that anybody can write to, an activator, and a journal that knows some orders. */
function start() {
  const clock = createFakeClock();
  const requests: ActivatorRequest[] = [];
  const known: OrderId[] = [];
  const refused = new Map<Uint8Array, DeployCode>();
  const arrived = createNotifier();
  let newest: StoredOrder | undefined;
  let sequence = 0;
  let refusal: string | undefined;
  const ending = new AbortController();
  async function* followOrders(signal: AbortSignal) {
    while (!signal.aborted) {
      await arrived.wait(signal).catch(() => undefined);
      if (newest !== undefined) yield newest;
    }
  }
  async function judge(envelope: Uint8Array): Promise<OrderDecision> {
    const order = unverifiedOrderOrNothing(envelope);
    if (order === undefined) return { type: "rejected", code: "BAD_ORDER", detail: "it is not an order" };
    const code = refused.get(envelope);
    if (code !== undefined) return { type: "rejected", code, detail: "it is refused", order: order.id };
    return { type: "accepted", order };
  }
  const running = handOver(
    {
      bus: { followOrders },
      judge,
      activator: {
        async ask(request) {
          requests.push(request);
          return { answer: request.type === "order" ? "taken" : "noted" };
        },
      },
      journal: {
        refresh: async () => undefined,
        view: () => ({ lines: known.map((order) => ({ event: { order } })) }) as unknown as JournalView,
      },
      refusals: {
        read: async () => refusal,
        write: async (key) => void (refusal = key),
      },
      mayRefuse: createAllowance({ atOnce: 10, everyMs: 60_000 }, clock),
      sayNetwork: async () => undefined,
      clock,
      log: silentLog,
    },
    ending.signal,
  );
  onTestFinished(async () => {
    ending.abort(new Error("the test is over"));
    await running;
  });
  return {
    clock,
    known,
    refused,
    count: (type: ActivatorRequest["type"]) => requests.filter((request) => request.type === type).length,
    async store(envelope: Uint8Array): Promise<void> {
      newest = { envelope, sequence: ++sequence, storedAt: clock.now() };
      arrived.notify();
      // It is read in a few turns, without any time.
      for (let turn = 0; turn < 5; turn++) await setImmediate();
    },
  };
}

const minute = 60_000;

test("an order that is lost before the journal has it is handed over again, until the journal has it", async () => {
  const { clock, known, count, store } = start();
  const { order, envelope } = signedOrder();
  await store(envelope);
  expect(count("order")).toBe(1);
  await clock.advance(40_000);
  expect(count("order")).toBe(2);
  known.push(order.id);
  await clock.advance(60 * minute);
  expect(count("order")).toBe(2);
});

test("one that was taken, and is too old before it is read, is the activator's to refuse", async () => {
  const { clock, refused, count, store } = start();
  const { envelope } = signedOrder();
  await store(envelope);
  refused.set(envelope, "EXPIRED");
  await clock.advance(60 * minute);
  expect([count("order"), count("refused")]).toEqual([1, 0]);
});

test("whoever floods the subject wakes root ten times, and then once a minute", async () => {
  const { clock, count, store } = start();
  for (let second = 0; second < 200; second++) {
    await store(new TextEncoder().encode(`no order ${second}`));
    await clock.advance(1000);
  }
  expect(count("refused")).toBeGreaterThanOrEqual(12);
  expect(count("refused")).toBeLessThanOrEqual(14);
  // The last one is refused all the same, and nothing more is said about it.
  const before = count("refused");
  await clock.advance(60 * minute);
  expect(count("refused")).toBe(before + 1);
});

test("and an order in the middle of it is handed over at once", async () => {
  const { clock, known, count, store } = start();
  for (let second = 0; second < 30; second++) {
    await store(new TextEncoder().encode(`no order ${second}`));
    await clock.advance(1000);
  }
  const { order, envelope } = signedOrder();
  await store(envelope);
  await clock.advance(1000);
  expect(count("order")).toBe(1);
  known.push(order.id);
});
