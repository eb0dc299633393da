import { expect, test } from "vitest";
import { createVirtualClock } from "../../test/support/virtual-clock.ts";
import { answerActivator, type ActivatorPorts } from "./answer-activator.ts";
import type { Confirmation, Mail } from "./mailbox.ts";
import type { Phase } from "./host-memory.ts";
import { base64Of } from "../protocol/deploy/order.ts";
import { createSimulatedHost } from "../../test/support/simulated-host.ts";
import { signedOrder, somePath, somePolicy } from "../../test/support/deploy-orders.ts";
import { parseHostName, parseRepoName } from "../protocol/names.ts";

const { order, envelope } = signedOrder();
const never = new AbortController().signal;

/** An activator beside a deployment in this phase. */
async function rig(phase: Phase, { isPart = true, isTaken = true } = {}) {
  const confirmed: Confirmation[] = [];
  const put: Mail[] = [];
  let starts = 0;
  const [a, policy] = [somePath("old"), somePolicy()];
  const host = createSimulatedHost({
    repo: parseRepoName("nixos-servers"),
    host: parseHostName("web01"),
    closures: [{ path: a, policy }],
    initial: a,
  });
  const current = {
    order,
    envelope: base64Of(envelope),
    phase,
    bootId: "boot-1",
    since: "2026-11-23T14:00:00.000Z",
    receivedAt: "2026-11-23T14:00:00.000Z",
    epoch: 1,
    hasPersisted: false,
    isStaged: false,
  };
  const ports: ActivatorPorts = {
    mailbox: {
      putOrder: async (mail) => void put.push(mail),
      hasOrder: async () => !isTaken,
      putRefused: async () => undefined,
      hasRefused: async () => !isTaken,
      putCleared: async () => undefined,
      putConfirmation: async (confirmation) => void confirmed.push(confirmation),
      putNetwork: async () => undefined,
    },
    unit: { start: async () => ++starts > 3, isActive: async () => true },
    system: { isProgramOf: async () => isPart },
    readMemory: async () => ({ ...host.memory(), current }),
    clock: createVirtualClock(),
    peer: 42,
  };
  const confirm = async (epoch = 1) =>
    answerActivator(ports, { type: "confirm", order: order.id, epoch }, never);
  return { ports, confirmed, put, confirm, starts: () => starts };
}

test("the new system's listener confirms it once its checks have passed", async () => {
  const { confirm, confirmed } = await rig("checked");
  expect(await confirm()).toMatchObject({ answer: "noted" });
  expect(confirmed).toEqual([{ order: order.id, epoch: 1 }]);
});

test.each<Phase>(["activating", "activated", "checking", "confirmed", "rolling-back"])(
  "what is said while it is %s confirms nothing",
  async (phase) => {
    const { confirm, confirmed } = await rig(phase);
    expect(await confirm()).toMatchObject({ answer: "ignored" });
    expect(confirmed).toEqual([]);
  },
);

test("neither another process nor a retry confirms it", async () => {
  const stranger = await rig("checked", { isPart: false });
  expect(await stranger.confirm()).toMatchObject({ answer: "ignored" });
  const own = await rig("checked");
  expect(await own.confirm(2)).toMatchObject({ answer: "ignored" });
  expect([...stranger.confirmed, ...own.confirmed]).toEqual([]);
});

test("an order is offered until the process that deploys has taken it, or was started for it", async () => {
  const request = { type: "order", envelope: base64Of(envelope) } as const;
  const ending = await rig("checked", { isTaken: false });
  expect(await answerActivator(ending.ports, request, never)).toEqual({ answer: "taken" });
  expect([ending.put.length, ending.starts()]).toEqual([1, 4]);
  const running = await rig("checked");
  await answerActivator(running.ports, request, never);
  expect(running.starts()).toBe(1);
});

test("so is a refusal: a process that is just ending does not look again", async () => {
  const request = { type: "refused", code: "CHANGED_MEANWHILE", detail: "no" } as const;
  const ending = await rig("checked", { isTaken: false });
  expect(await answerActivator(ending.ports, request, never)).toEqual({ answer: "noted" });
  expect(ending.starts()).toBe(4);
  const running = await rig("checked");
  await answerActivator(running.ports, request, never);
  expect(running.starts()).toBe(1);
});
