import { expect, test } from "vitest";
import { startFleet } from "../support/listener-fleet.ts";

test("an order for each of 40 hosts reaches each of them, and each says what it is like", async () => {
  await using fleet = await startFleet(40);
  const signal = AbortSignal.timeout(60_000);
  await fleet.orderAll(signal);
  await expect
    .poll(
      async () =>
        (await fleet.operator.hostStates(signal)).filter(({ order }) => order?.phase === "received").length,
      { timeout: 60_000 },
    )
    .toBe(40);
}, 120_000);
