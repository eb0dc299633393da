import fc from "fast-check";
import { expect, test } from "vitest";
import { orderId, someOrder, somePath, someSigner } from "../../../test/support/deploy-orders.ts";
import { decodeOrder, encodeOrder, encodeEnvelope, decodeEnvelope } from "../../protocol/deploy/order.ts";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { signOrder } from "../../signing/sign-envelope.ts";
import { composeOrder, serialOfStored, type OrderFacts, type OrderSpecification } from "./compose-order.ts";

const now = new Date("2026-11-29T12:01:00.000Z");
const facts: OrderFacts = {
  address: { repo: parseRepoName("nixos-servers"), host: parseHostName("web01") },
  id: orderId(1),
  now,
  running: somePath("old"),
  serials: [],
};
const specification: OrderSpecification = {
  kind: "activate",
  action: "switch",
  path: somePath("new"),
  reboot: false,
  allowDowngrade: false,
  allowDrift: false,
  by: "kai@laptop",
};

test("an order expects what the host runs, and is valid for 15 minutes", () => {
  expect(composeOrder(specification, facts)).toEqual({
    v: 1,
    id: orderId(1),
    kind: "activate",
    repo: "nixos-servers",
    host: "web01",
    serial: now.getTime(),
    issuedAt: "2026-11-29T12:01:00.000Z",
    notAfter: "2026-11-29T12:16:00.000Z",
    action: "switch",
    path: somePath("new"),
    expects: { running: somePath("old") },
    reboot: "never",
    by: "kai@laptop",
  });
});

test("nothing is allowed that was not asked for, and a reboot order reboots", () => {
  const allowing = composeOrder(
    { ...specification, allowDrift: true, reason: "the fair" },
    { ...facts, running: undefined },
  );
  expect(allowing).toMatchObject({ allow: { drift: true }, expects: { any: true }, reason: "the fair" });
  expect(composeOrder({ ...specification, kind: "reboot" }, facts)).toMatchObject({ reboot: "now" });
});

test("the serial is higher than every one before it, and every order is one that hosts can read", () => {
  const serial = fc.option(fc.integer({ min: 1, max: 2 ** 50 }), { nil: undefined });
  fc.assert(
    fc.property(
      fc.array(serial, { maxLength: 3 }),
      fc.date({ noInvalidDate: true, min: now }),
      (serials, at) => {
        if (at.getUTCFullYear() > 9000) return;
        const order = composeOrder(specification, { ...facts, serials, now: at });
        expect(decodeOrder(encodeOrder(order))).toEqual(order);
        expect(order.serial).toBeGreaterThanOrEqual(at.getTime());
        for (const before of serials) expect(order.serial).toBeGreaterThan(before ?? 0);
      },
    ),
  );
});

test("a stored order of the far future uses up no serials, and what is no order has none", () => {
  const stored = (serial: number): Uint8Array => signOrder(someOrder({ serial }), someSigner("kai"));
  expect(serialOfStored(stored(now.getTime() + 1), now)).toBe(now.getTime() + 1);
  expect(serialOfStored(stored(Number.MAX_SAFE_INTEGER), now)).toBeUndefined();
  expect(serialOfStored(new TextEncoder().encode("{}"), now)).toBeUndefined();
  const envelope = decodeEnvelope(stored(1));
  expect(serialOfStored(encodeEnvelope({ ...envelope, order: "AAAA" }), now)).toBeUndefined();
});
