import { expect, test } from "vitest";
import {
  deployLogStart,
  goodDeployment,
  scriptDeployments,
  type DeployScript,
} from "../../../test/support/deploy-events.ts";
import { orderId, someOrder, someSigner } from "../../../test/support/deploy-orders.ts";
import { createFakeClock, type FakeClock } from "../../../test/support/fake-clock.ts";
import { createFakeDeployBus, type FakeDeployBus } from "../../../test/support/fake-deploy-bus.ts";
import type { DeployCode, DeployOutcome } from "../../protocol/deploy/deploy-codes.ts";
import { signOrder } from "../../signing/sign-envelope.ts";
import { exitCodeOfEnd, followDeployment, type FollowEnd } from "./follow-deployment.ts";

const never = new AbortController().signal;

interface Followed {
  readonly bus: FakeDeployBus;
  readonly clock: FakeClock;
  readonly end: Promise<FollowEnd>;
}

function follow(changes: object = {}, before: DeployScript = scriptDeployments()): Followed {
  const bus = createFakeDeployBus();
  const clock = createFakeClock(deployLogStart);
  for (const event of before.events) bus.say(event);
  const order = someOrder({ kind: "reboot", ...changes });
  const address = { repo: order.repo, host: order.host };
  const fromIndex = before.events.length;
  return {
    bus,
    clock,
    end: followDeployment({ bus, clock }, { address, order, fromIndex }, () => undefined, never),
  };
}

const say = ({ bus }: Followed, script: DeployScript): void =>
  script.events.forEach((event) => bus.say(event));

test("earlier deployments are none of its business, and it ends with its own", async () => {
  const followed = follow({}, goodDeployment(scriptDeployments({ order: orderId(9) })));
  const firstIndex = 11;
  say(followed, goodDeployment(scriptDeployments({ firstIndex })));
  const end = await followed.end;
  expect(end).toMatchObject({
    type: "ended",
    deployment: { order: orderId(1), end: { outcome: "completed" } },
  });
  expect(exitCodeOfEnd(end, { action: "switch" })).toBe(0);
});

test.each<[DeployOutcome, DeployCode | undefined, number]>([
  ["unchanged", undefined, 0],
  ["rolled-back", "UNHEALTHY", 1],
  ["rolled-back", "UNCONFIRMED", 3],
  ["rolled-back", undefined, 1],
  ["rollback-failed", "ROLLBACK_FAILED", 1],
  ["rejected", "HELD", 4],
  ["superseded", undefined, 3],
  ["failed", "NO_SPACE", 1],
])("%s with %s exits with %i", async (outcome, code, exit) => {
  const followed = follow();
  say(followed, scriptDeployments().add("received").add("finished", { outcome, code }));
  expect(exitCodeOfEnd(await followed.end, { action: "switch" })).toBe(exit);
});

test("what waits for a boot is success only where that was ordered", async () => {
  const followed = follow();
  say(followed, scriptDeployments().add("received").add("staged"));
  const end = await followed.end;
  expect(end.type).toBe("staged");
  expect(exitCodeOfEnd(end, { action: "boot" })).toBe(0);
  expect(exitCodeOfEnd(end, { action: "switch" })).toBe(3);
});

test("an order that another took the place of is not waited for", async () => {
  const followed = follow();
  await followed.bus.putOrder(
    { repo: someOrder().repo, host: someOrder().host },
    signOrder(someOrder({ kind: "reboot", id: orderId(2) }), someSigner("lea")),
    0,
    never,
  );
  await followed.clock.advance(10_000);
  expect(await followed.end).toEqual({ type: "superseded" });
});

test("an order that nobody took while it was valid is given up", async () => {
  const followed = follow();
  await followed.clock.advance(17 * 60_000);
  const still = await Promise.race([followed.end, Promise.resolve("waiting")]);
  expect(still).toBe("waiting");
  await followed.clock.advance(2 * 60_000);
  expect(await followed.end).toEqual({ type: "not-taken" });
});

test("a host that does not come back from its reboot is lost, and only then", async () => {
  const followed = follow({ reboot: "now" });
  say(followed, scriptDeployments().add("received").add("staged").add("rebooting"));
  await followed.clock.advance(14 * 60_000);
  expect(await Promise.race([followed.end, Promise.resolve("waiting")])).toBe("waiting");
  await followed.clock.advance(2 * 60_000);
  const end = await followed.end;
  expect(end.type).toBe("lost");
  expect(exitCodeOfEnd(end, { action: "switch" })).toBe(3);
});
