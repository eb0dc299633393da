import { expect, test } from "vitest";
import {
  builder,
  operator,
  orderId,
  signedOrder,
  somePolicy,
  somePath,
  type OrderChanges,
} from "../../test/support/deploy-orders.ts";
import { encodeEnvelope, decodeEnvelope, base64Of, bytesOf } from "../protocol/deploy/order.ts";
import { newSigner } from "../signing/signing-key-file.ts";
import { decideOrder, type OrderQuestion } from "./decide-order.ts";

const now = new Date("2026-11-23T14:00:00.000Z");
const [a, b, c] = [somePath("old"), somePath("new"), somePath("other")];

const question = (envelope: Uint8Array, more: Partial<OrderQuestion> = {}): OrderQuestion => ({
  envelope,
  policy: somePolicy(),
  memory: { serial: 0, firstStart: "2026-01-01T00:00:00.000Z", isStuck: false },
  running: a,
  isHandMade: false,
  now,
  ...more,
});

const decide = (order: OrderChanges, more: Partial<OrderQuestion> = {}) =>
  decideOrder(question(signedOrder(order).envelope, more));

/** The envelope with other words in it. */
function tampered(change: (envelope: ReturnType<typeof decodeEnvelope>) => object): Uint8Array {
  const envelope = decodeEnvelope(signedOrder().envelope);
  return new TextEncoder().encode(JSON.stringify({ ...envelope, ...change(envelope) }));
}

const flipped = (text: string, at: number): string => {
  const bytes = bytesOf(text);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return base64Of(bytes);
};

test("an order that is signed, stated and in time is accepted", () => {
  const { order, envelope } = signedOrder();
  expect(decideOrder(question(envelope))).toMatchObject({
    type: "accepted",
    order: { id: order.id, path: b },
    statement: { path: b, branch: "master" },
  });
});

test("a serial that would leave none for others is refused, and one a little ahead is not", () => {
  const serialOf = (serial: number, last = 0) =>
    decide({ order: { serial } }, { memory: { ...question(new Uint8Array()).memory, serial: last } });
  expect(serialOf(Number.MAX_SAFE_INTEGER)).toMatchObject({ type: "rejected", code: "BAD_ORDER" });
  expect(serialOf(now.getTime() + 60_000)).toMatchObject({ type: "accepted" });
  const ahead = now.getTime() + 40 * 86_400_000;
  expect(serialOf(ahead + 1, ahead)).toMatchObject({ type: "accepted" });
});

const stranger = newSigner();

test.each<readonly [string, Uint8Array, string]>([
  ["a bit of the order", tampered(({ order }) => ({ order: flipped(order, 20) })), "BAD_SIGNATURE"],
  [
    "a bit of the statement",
    tampered(({ statement = "" }) => ({ statement: flipped(statement, 20) })),
    "BAD_STATEMENT",
  ],
  [
    "other white space",
    tampered(({ order }) => ({
      order: base64Of(
        Buffer.from(JSON.stringify(JSON.parse(Buffer.from(order, "base64").toString()), null, 1)),
      ),
    })),
    "BAD_SIGNATURE",
  ],
  ["no statement", tampered(() => ({ statement: undefined, statementSig: undefined })), "BAD_STATEMENT"],
  ["an unknown field in the envelope", tampered(() => ({ trustMe: true })), "BAD_ORDER"],
  ["an unknown key", signedOrder({ signer: stranger }).envelope, "UNTRUSTED_SIGNER"],
  ["the statement of an unknown builder", signedOrder({ builder: stranger }).envelope, "UNTRUSTED_BUILDER"],
  [
    "the signature of the builder, who may not order",
    signedOrder({ signer: builder }).envelope,
    "UNTRUSTED_SIGNER",
  ],
  ["the statement by a key that orders", signedOrder({ builder: operator }).envelope, "UNTRUSTED_BUILDER"],
  ["another host", signedOrder({ order: { host: "web02" } }).envelope, "WRONG_HOST"],
  ["another repo", signedOrder({ order: { repo: "nixos" } }).envelope, "WRONG_HOST"],
  ["a statement about another host", signedOrder({ statement: { host: "web02" } }).envelope, "BAD_STATEMENT"],
  ["a statement about another path", signedOrder({ statement: { path: c } }).envelope, "BAD_STATEMENT"],
  [
    "a statement of another branch",
    signedOrder({ statement: { branch: "flake-update/2026-11-23" } }).envelope,
    "BRANCH_NOT_ALLOWED",
  ],
  ["another platform", signedOrder({ statement: { system: "aarch64-linux" } }).envelope, "WRONG_SYSTEM"],
  ["no JSON", new TextEncoder().encode("{"), "BAD_ORDER"],
  ["nothing", new Uint8Array(), "BAD_ORDER"],
  ["more than an envelope may have", new Uint8Array(40_000), "BAD_ORDER"],
])("an order with %s is refused", (_, envelope, code) => {
  expect(decideOrder(question(envelope))).toMatchObject({ type: "rejected", code });
});

test("an unknown field in signed bytes is refused, whoever signed it", () => {
  const { order } = signedOrder();
  const bytes = new TextEncoder().encode(JSON.stringify({ ...order, andAlso: "this" }));
  const envelope = encodeEnvelope({
    v: 1,
    order: base64Of(bytes),
    sig: { key: operator.key, sig: base64Of(operator.sign("order", bytes)) },
  });
  expect(decideOrder(question(envelope))).toMatchObject({ code: "BAD_ORDER" });
});

test("a statement's signature is none of an order", () => {
  const { order } = signedOrder();
  const bytes = new TextEncoder().encode(JSON.stringify(order));
  const envelope = encodeEnvelope({
    v: 1,
    order: base64Of(bytes),
    sig: { key: operator.key, sig: base64Of(operator.sign("statement", bytes)) },
  });
  expect(decideOrder(question(envelope))).toMatchObject({ code: "BAD_SIGNATURE" });
});

const minutes = (count: number): Date => new Date(now.getTime() + count * 60_000);

test.each<readonly [string, number, string]>([
  ["late, within what clocks differ by", 16, "accepted"],
  ["too late", 18, "EXPIRED"],
  ["early, within what clocks differ by", -9, "accepted"],
  ["too early", -11, "FUTURE"],
  ["in 1970", -29_000_000, "FUTURE"],
  ["a day later", 24 * 60, "EXPIRED"],
])("a clock that is %s: %s", (_, offset, expected) => {
  const decision = decide({}, { now: minutes(offset) });
  expect(decision.type === "rejected" ? decision.code : decision.type).toBe(expected);
});

test("a clock below what it has seen obeys nobody", () => {
  const memory = {
    serial: 0,
    firstStart: "2026-01-01T00:00:00.000Z",
    isStuck: false,
    clockFloor: minutes(30).toISOString(),
  };
  expect(decide({}, { memory })).toMatchObject({ code: "CLOCK_WRONG" });
});

test("nor does one below what its system was built from, but for root, who can set it", () => {
  const { envelope } = signedOrder();
  const policy = somePolicy({ builtAfter: minutes(6).toISOString() });
  expect(decideOrder(question(envelope, { policy }))).toMatchObject({ code: "CLOCK_WRONG" });
  expect(decideOrder(question(envelope, { policy, isByRoot: true }))).toMatchObject({ type: "accepted" });
  const within = somePolicy({ builtAfter: minutes(4).toISOString() });
  expect(decideOrder(question(envelope, { policy: within }))).toMatchObject({ type: "accepted" });
});

test("a host that was reinstalled obeys nothing older than itself", () => {
  const memory = { serial: 0, firstStart: minutes(1).toISOString(), isStuck: false };
  expect(decide({}, { memory, now: minutes(2) })).toMatchObject({ code: "EXPIRED" });
});

test("an order that would be good for long is none", () => {
  expect(decide({ order: { notAfter: minutes(61).toISOString() } })).toMatchObject({ code: "BAD_ORDER" });
});

test("an order is obeyed once", () => {
  const { order, envelope } = signedOrder();
  const memory = { serial: order.serial, firstStart: "2026-01-01T00:00:00.000Z", isStuck: false };
  expect(decideOrder(question(envelope, { memory: { ...memory, lastOrder: order.id } }))).toEqual({
    type: "repeated",
    order: order.id,
  });
  expect(decideOrder(question(envelope, { memory }))).toMatchObject({ code: "REPLAYED", order: order.id });
});

const limited = (more: object): Partial<OrderQuestion> => ({
  policy: somePolicy({ trustedKeys: [{ name: "deployer", key: operator.key, may: ["deploy"], ...more }] }),
});

test.each<readonly [string, OrderChanges, Partial<OrderQuestion>, string]>([
  ["a reboot", { order: { kind: "reboot", reboot: "now" } }, limited({}), "SIGNER_MAY_NOT"],
  ["a rollback", { order: { kind: "rollback" } }, limited({}), "SIGNER_MAY_NOT"],
  ["a reboot with it", { order: { reboot: "now" } }, limited({}), "SIGNER_MAY_NOT"],
  ["a downgrade", { order: { allow: { downgrade: true } } }, limited({}), "SIGNER_MAY_NOT"],
  ["to overwrite drift", { order: { allow: { drift: true } } }, limited({}), "SIGNER_MAY_NOT"],
  ["whatever is there", { order: { expects: { any: true } } }, limited({}), "SIGNER_MAY_NOT"],
  ["to remove the listener", { order: { allow: { removesListener: true } } }, limited({}), "SIGNER_MAY_NOT"],
  ["on another tier", {}, limited({ tiers: ["test"] }), "SIGNER_MAY_NOT"],
  ["over its date", {}, limited({ notAfter: minutes(-1).toISOString() }), "UNTRUSTED_SIGNER"],
])("a key that may not order %s is refused", (_, order, more, code) => {
  expect(decide(order, more)).toMatchObject({ code });
});

test.each<readonly [string, OrderChanges, Partial<OrderQuestion>, string]>([
  ["is held", {}, { policy: somePolicy({ hold: "moving house" }) }, "HELD"],
  ["runs something else", {}, { running: c }, "CHANGED_MEANWHILE"],
  ["runs nothing from the store", {}, { running: undefined }, "CHANGED_MEANWHILE"],
  ["was switched by hand", {}, { isHandMade: true }, "CHANGED_MEANWHILE"],
  ["has nothing to go back to", { order: { kind: "rollback", path: c } }, {}, "DOWNGRADE"],
])("a host that %s refuses", (_, order, more, code) => {
  expect(decide(order, more)).toMatchObject({ code });
});

test("drift can be overwritten by who says so, and may", () => {
  expect(decide({ order: { allow: { drift: true } } }, { isHandMade: true })).toMatchObject({
    type: "accepted",
  });
});

test("a held host can still be told that an order is withdrawn", () => {
  const policy = somePolicy({ hold: "moving house" });
  expect(decide({ order: withdrawal }, { policy })).toMatchObject({ type: "accepted" });
});

const withdrawal = { kind: "withdraw", statementHash: undefined, withdraws: orderId(1) };

test.each<readonly [string, readonly string[], string]>([
  ["who may roll back", ["rollback"], "accepted"],
  ["who may deploy", ["deploy"], "accepted"],
  ["who may reboot", ["reboot"], "accepted"],
  ["who may only add to the orders of others", ["drift", "downgrade"], "SIGNER_MAY_NOT"],
  ["who may nothing", [], "SIGNER_MAY_NOT"],
])("an order is taken back by %s: %s is %s", (_, may, expected) => {
  const decision = decide({ order: withdrawal }, limited({ may }));
  expect(decision.type === "rejected" ? decision.code : decision.type).toBe(expected);
});

test("a key for another tier takes nothing back", () => {
  expect(decide({ order: withdrawal }, limited({ tiers: ["test"] }))).toMatchObject({
    code: "SIGNER_MAY_NOT",
  });
});

test("a withdrawal names what it takes back, and nothing else does", () => {
  expect(decide({ order: { ...withdrawal, withdraws: undefined } })).toMatchObject({ code: "BAD_ORDER" });
  expect(decide({ order: { withdraws: orderId(1) } })).toMatchObject({ code: "BAD_ORDER" });
});

const fetchOrder = { kind: "fetch" };

test("an order that only fetches is judged as one to deploy", () => {
  expect(decide({ order: fetchOrder }, limited({ may: ["deploy"] }))).toMatchObject({
    type: "accepted",
    order: { kind: "fetch" },
    statement: { path: b },
  });
});

test.each<readonly [string, OrderChanges, Partial<OrderQuestion>, string]>([
  ["by who may only roll back", {}, limited({ may: ["rollback"] }), "SIGNER_MAY_NOT"],
  ["without a statement", { order: { statementHash: undefined } }, {}, "BAD_STATEMENT"],
  ["of another branch", { statement: { branch: "pr/7" } }, {}, "BRANCH_NOT_ALLOWED"],
  ["by a builder whom nobody knows", { builder: newSigner() }, {}, "UNTRUSTED_BUILDER"],
  ["by nobody whom it knows", { signer: newSigner() }, {}, "UNTRUSTED_SIGNER"],
  ["a second time", {}, { memory: { ...question(new Uint8Array()).memory, serial: 9e12 } }, "REPLAYED"],
  ["on a host that is held", {}, { policy: somePolicy({ hold: "moving house" }) }, "HELD"],
  ["on a host that was switched by hand", {}, { isHandMade: true }, "CHANGED_MEANWHILE"],
  ["on a host that runs something else", {}, { running: c }, "CHANGED_MEANWHILE"],
  ["for the next boot", { order: { action: "boot" } }, {}, "BAD_ORDER"],
  ["and reboots", { order: { reboot: "now" } }, {}, "BAD_ORDER"],
])("and one %s is refused", (_, { order, ...changes }, more, code) => {
  expect(decide({ ...changes, order: { ...fetchOrder, ...order } }, more)).toMatchObject({ code });
});
