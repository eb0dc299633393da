import { expect, test } from "vitest";
import { somePath, someSigner } from "../../../test/support/deploy-orders.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { createFakeDeployBus } from "../../../test/support/fake-deploy-bus.ts";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { openEnvelope } from "../../signing/open-envelope.ts";
import { placeOrder, type OrderRequest } from "./place-order.ts";

const never = new AbortController().signal;
const request: OrderRequest = {
  address: { repo: parseRepoName("nixos-servers"), host: parseHostName("web01") },
  specification: {
    kind: "reboot",
    action: "switch",
    path: somePath("old"),
    reboot: true,
    allowDowngrade: false,
    allowDrift: false,
    by: "kai",
  },
  running: somePath("old"),
  hostSerial: undefined,
};
const clock = createFakeClock("2026-11-29T12:01:00.000Z");
const start = clock.now().getTime();

test("each order is signed, and has a serial above the one before it and the host's own", async () => {
  const bus = createFakeDeployBus();
  const options = { bus, clock, signer: someSigner("kai") };
  expect(await placeOrder(options, request, never)).toMatchObject({ serial: start });
  expect(await placeOrder(options, request, never)).toMatchObject({ serial: start + 1 });
  const above = await placeOrder(options, { ...request, hostSerial: start + 1000 }, never);
  expect(above).toMatchObject({ serial: start + 1001 });
  expect(openEnvelope(bus.orders[2]?.envelope ?? new Uint8Array())).toEqual({
    order: above,
    key: someSigner("kai").key,
  });
});

test("of signers at the same moment exactly one orders, in 200 rounds", async () => {
  const bus = createFakeDeployBus();
  for (let round = 1; round <= 200; round++) {
    const tries = await Promise.allSettled(
      ["kai", "lea"].map((name) => placeOrder({ bus, clock, signer: someSigner(name) }, request, never)),
    );
    expect(tries.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(tries.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { kind: "unavailable", code: "ORDERED_MEANWHILE" },
    });
    expect(bus.orders).toHaveLength(round);
  }
});
