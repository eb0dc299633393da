// An order tells one host to do one thing with one closure, valid for a time. Hosts obey the signature alone: neither the
// server nor the subject proves anything. Signed bytes are verified before they are parsed, and an unknown field in
// them is refused, because a reader that skips what it does not know may skip a condition.
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { HostName, RepoName, StorePath } from "../names.ts";
import { decode, encode } from "../wire.ts";
import { Sha256Text } from "./sha256-text.ts";

/** The limit for everything that is signed together with its signatures. */
export const maxEnvelopeBytes = 32 * 1024;

/** The id of an order and of the deployment that it starts: a ULID, upper case. */
export const OrderId = v.pipe(v.string(), v.regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/), v.brand("OrderId"));
export type OrderId = v.InferOutput<typeof OrderId>;
export const isOrderId = (text: string): text is OrderId => v.is(OrderId, text);

/**
 * The public key of somebody who signs: an NKey of type account. Keys for NATS are of type user, because a client signs
 * whatever challenge a server sends: with one key for both, a server could have any order signed.
 */
export const SigningKey = v.pipe(v.string(), v.regex(/^A[A-Z2-7]{55}$/), v.brand("SigningKey"));
export type SigningKey = v.InferOutput<typeof SigningKey>;

const time = v.pipe(v.string(), v.maxLength(40), v.isoTimestamp());
const label = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
/** At most a day. */
const seconds = v.pipe(v.number(), v.minValue(0), v.maxValue(86_400));

/** Seconds; what is absent is as the host's policy says. */
export const Timeouts = v.strictObject({
  /** For everything that the cache has to send. */
  fetch: v.optional(seconds),
  /** For `switch-to-configuration test`. */
  activate: v.optional(seconds),
  /** Between the switch and the first look at the units. */
  settle: v.optional(seconds),
  /** Until the new system must have reached NATS. */
  confirm: v.optional(seconds),
  /** How long an unproven system stays while NATS is down. */
  hold: v.optional(seconds),
});
export type Timeouts = v.InferOutput<typeof Timeouts>;

/** What the signer knowingly lets happen. */
const Allow = v.strictObject({
  downgrade: v.optional(v.boolean()),
  drift: v.optional(v.boolean()),
  removesListener: v.optional(v.boolean()),
});

/**
 * - `fetch`: only brings the closure onto the host, for an order that is going to come; nothing is activated
 * - `withdraw`: takes back an order that has changed nothing yet
 */
export const orderKinds = ["activate", "rollback", "reboot", "withdraw", "fetch"] as const;
export type OrderKind = (typeof orderKinds)[number];

export const Order = v.strictObject({
  v: v.literal(1),
  id: OrderId,
  kind: v.picklist(orderKinds),
  repo: RepoName,
  host: HostName,
  /** Higher than that of every order before it: Unix milliseconds where the clock went forward. */
  serial: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(Number.MAX_SAFE_INTEGER)),
  issuedAt: time,
  notAfter: time,
  /** `boot` only makes it the default of the next boot. */
  action: v.picklist(["switch", "boot"]),
  /** What shall run. Of `withdraw` and `reboot`, what the host is expected to have as its permanent system. */
  path: StorePath,
  /** The hash of the statement's bytes; absent where none is needed: `rollback`, `reboot`, `withdraw`. */
  statementHash: v.optional(Sha256Text),
  expects: v.union([v.strictObject({ running: StorePath }), v.strictObject({ any: v.literal(true) })]),
  allow: v.optional(Allow),
  reboot: v.picklist(["never", "now"]),
  timeouts: v.optional(Timeouts),
  rollout: v.optional(
    v.strictObject({ id: label, wave: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1000)) }),
  ),
  /** Required with `withdraw`, and only there: the order that is withdrawn. */
  withdraws: v.optional(OrderId),
  /** The name of the person who ordered it, for display; the key is what counts. */
  by: label,
  reason: v.optional(v.pipe(v.string(), v.maxLength(500))),
});
export type Order = v.InferOutput<typeof Order>;

const base64 = v.pipe(v.string(), v.maxLength(maxEnvelopeBytes), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));
/** 64 bytes. */
const signatureText = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/));
const Signature = v.strictObject({ key: SigningKey, sig: signatureText });

/** What is stored on `deploy-orders.<repo>.<host>`: bytes as they were signed, and who signed them. */
export const Envelope = v.strictObject({
  v: v.literal(1),
  order: base64,
  sig: Signature,
  statement: v.optional(base64),
  statementSig: v.optional(Signature),
});
export type Envelope = v.InferOutput<typeof Envelope>;

/** @throws HomelabError `usage` `BAD_ORDER` for anything that is not as it should be, whatever is wrong with it. */
function decodeOrRefuse<Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Uint8Array,
  what: string,
): v.InferOutput<Schema> {
  try {
    return decode(schema, bytes, { what, maxBytes: maxEnvelopeBytes });
  } catch (error) {
    if (!(error instanceof HomelabError)) throw error;
    throw new HomelabError("usage", error.message, {
      code: "BAD_ORDER",
      hint: "see whether this is an order at all; if it is, upgrade both sides to the same release, and order again",
      cause: error,
    });
  }
}

/** @throws HomelabError `usage` `BAD_ORDER` */
export const decodeEnvelope = (bytes: Uint8Array): Envelope =>
  decodeOrRefuse(Envelope, bytes, "order envelope");
export const encodeEnvelope = (envelope: Envelope): Uint8Array => encode(envelope);

/** Decodes bytes whose signature was verified. @throws HomelabError `usage` `BAD_ORDER` */
export const decodeOrder = (bytes: Uint8Array): Order => decodeOrRefuse(Order, bytes, "order");
export const encodeOrder = (order: Order): Uint8Array => encode(order);

/**
 * The order in an envelope whose signatures nobody has looked at: for readers that obey nothing.
 *
 * @throws HomelabError `usage` `BAD_ORDER`
 */
export const unverifiedOrder = (envelope: Uint8Array): Order =>
  decodeOrder(bytesOf(decodeEnvelope(envelope).order));

/** The same; undefined for bytes that are not an order. */
export function unverifiedOrderOrNothing(envelope: Uint8Array): Order | undefined {
  try {
    return unverifiedOrder(envelope);
  } catch {
    return undefined;
  }
}

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
export const base64Of = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
