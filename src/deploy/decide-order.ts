// Whether a host obeys an order. Everything that decides is in the signed bytes, the host's own policy and memory: the
// server that handed it over is not trusted. Decided twice, by the listener and by the activator.
import { HomelabError } from "../base/errors.ts";
import type { DeployCode } from "../protocol/deploy/deploy-codes.ts";
import type { HostPolicy, May, TrustedSigner } from "../protocol/deploy/host-policy.ts";
import {
  bytesOf,
  decodeEnvelope,
  decodeOrder,
  type Envelope,
  type Order,
  type OrderId,
} from "../protocol/deploy/order.ts";
import { decodeStatement, type Statement } from "../protocol/deploy/statement.ts";
import type { StorePath } from "../protocol/names.ts";
import { hashOfStatement } from "../signing/open-envelope.ts";
import { isSignedBy } from "../signing/signatures.ts";
import { floorAbove } from "./clock-floor.ts";
import { rollbackFailedHold, type HostMemory } from "./host-memory.ts";

export interface OrderQuestion {
  /** The bytes of the envelope, as it was stored. */
  readonly envelope: Uint8Array;
  /** Root of this host put it there by hand: nothing about it has to be signed. */
  readonly isByRoot?: boolean;
  readonly policy: HostPolicy;
  readonly memory: Pick<
    HostMemory,
    "serial" | "lastOrder" | "clockFloor" | "firstStart" | "previous" | "isStuck"
  >;
  /** What runs now; undefined if that is not a store path. */
  readonly running: StorePath | undefined;
  /** No order that was completed here has brought what runs. */
  readonly isHandMade: boolean;
  readonly now: Date;
}

export type OrderDecision =
  | { readonly type: "accepted"; readonly order: Order; readonly statement?: Statement }
  /** It was taken before; its deployment has the rest. */
  | { readonly type: "repeated"; readonly order: OrderId }
  | {
      readonly type: "rejected";
      readonly code: DeployCode;
      readonly detail: string;
      /** Absent where the bytes are not signed by somebody whom the host knows. */
      readonly order?: OrderId;
    };

const minute = 60_000;
/** What clocks of one site may differ by. */
const earlyMs = 10 * minute;
const lateMs = 2 * minute;
/** An order with a longer life could be kept back, and sent when it hurts. */
const longestLifeMs = 60 * minute;
/** Serials are Unix milliseconds: with the highest one a single signer could keep all others from ordering, for good. */
const farthestSerial = 24 * 60 * minute;

class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: DeployCode;
  constructor(code: DeployCode, detail: string) {
    super(detail);
    this.code = code;
  }
}

export function decideOrder(question: OrderQuestion): OrderDecision {
  let order: Order | undefined;
  try {
    const envelope = readEnvelope(question.envelope);
    const bytes = bytesOf(envelope.order);
    const signer = question.isByRoot === true ? undefined : verifiedSigner(envelope, bytes, question);
    order = readOrder(bytes);
    checkAddress(order, question.policy);
    checkWithdraws(order);
    checkFetch(order);
    if (order.id === question.memory.lastOrder) return { type: "repeated", order: order.id };
    checkSerial(order, question.memory.serial);
    // Root on this host can set the clock.
    if (signer !== undefined) checkClock(question);
    checkTime(order, question);
    checkSerialIsNear(order, question);
    if (signer !== undefined) checkSigner(order, signer, question.policy);
    const statement = signer === undefined ? undefined : checkStatement(order, envelope, question.policy);
    checkRunning(order, question);
    return { type: "accepted", order, statement };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { type: "rejected", code: error.code, detail: error.message, order: order?.id };
  }
}

function readEnvelope(bytes: Uint8Array): Envelope {
  try {
    return decodeEnvelope(bytes);
  } catch (error) {
    if (error instanceof HomelabError) throw new Refusal("BAD_ORDER", error.message);
    throw error;
  }
}

function readOrder(bytes: Uint8Array): Order {
  try {
    return decodeOrder(bytes);
  } catch (error) {
    if (error instanceof HomelabError) throw new Refusal("BAD_ORDER", error.message);
    throw error;
  }
}

function knownSigner({ sig }: Envelope, { policy, now }: OrderQuestion): TrustedSigner {
  const signer = policy.trustedKeys.find(({ key }) => key === sig.key);
  if (signer === undefined) {
    throw new Refusal("UNTRUSTED_SIGNER", `${sig.key} is not a key that this host obeys`);
  }
  if (signer.notAfter !== undefined && now.getTime() > Date.parse(signer.notAfter)) {
    throw new Refusal("UNTRUSTED_SIGNER", `the key of ${signer.name} was good until ${signer.notAfter}`);
  }
  return signer;
}

function verifiedSigner(envelope: Envelope, bytes: Uint8Array, question: OrderQuestion): TrustedSigner {
  const signer = knownSigner(envelope, question);
  if (!isSignedBy("order", bytes, signer.key, bytesOf(envelope.sig.sig))) {
    throw new Refusal("BAD_SIGNATURE", `the signature is not one of ${signer.name} over these bytes`);
  }
  return signer;
}

function checkAddress(order: Order, { repo, host }: HostPolicy): void {
  if (order.repo !== repo || order.host !== host) {
    throw new Refusal(
      "WRONG_HOST",
      `it is for ${order.repo}/${order.host}, and this host is ${repo}/${host}`,
    );
  }
}

function checkWithdraws({ kind, withdraws }: Order): void {
  if ((kind === "withdraw") === (withdraws !== undefined)) return;
  throw new Refusal(
    "BAD_ORDER",
    kind === "withdraw"
      ? "it does not name the order that it withdraws"
      : "only a withdrawal can withdraw an order",
  );
}

function checkFetch({ kind, action, reboot }: Order): void {
  if (kind !== "fetch" || (action === "switch" && reboot === "never")) return;
  throw new Refusal(
    "BAD_ORDER",
    "an order that only fetches makes nothing the default of the next boot, and reboots nothing",
  );
}

function checkSerial({ serial }: Order, last: number): void {
  if (serial <= last) {
    throw new Refusal("REPLAYED", `its serial is ${serial}, and this host has seen ${last}`);
  }
}

function checkSerialIsNear({ serial }: Order, { memory, now }: OrderQuestion): void {
  if (serial > Math.max(memory.serial, now.getTime()) + farthestSerial) {
    throw new Refusal(
      "BAD_ORDER",
      `its serial ${serial} is too far ahead: it would leave no serials for later orders`,
    );
  }
}

function checkClock({ memory: { clockFloor }, policy: { builtAfter }, now }: OrderQuestion): void {
  const floor = floorAbove(now, { clockFloor, builtAfter });
  if (floor === undefined) return;
  const why =
    floor === clockFloor ? `it has obeyed an order of ${floor}` : `its system was built after ${floor}`;
  throw new Refusal("CLOCK_WRONG", `this host's clock says ${now.toISOString()}, and ${why}`);
}

function checkTime({ issuedAt, notAfter }: Order, { memory, now }: OrderQuestion): void {
  const [at, issued, until] = [now.getTime(), Date.parse(issuedAt), Date.parse(notAfter)];
  if (until - issued > longestLifeMs || until < issued) {
    throw new Refusal("BAD_ORDER", `it would be good from ${issuedAt} to ${notAfter}: an hour at most`);
  }
  if (issued < Date.parse(memory.firstStart)) {
    throw new Refusal("EXPIRED", `it was issued before this host was set up (${memory.firstStart})`);
  }
  if (at > until + lateMs) {
    throw new Refusal("EXPIRED", `it was good until ${notAfter}, and this host has ${now.toISOString()}`);
  }
  if (at < issued - earlyMs) {
    throw new Refusal("FUTURE", `it was issued at ${issuedAt}, and this host has ${now.toISOString()}`);
  }
}

/** A key with one of these may order something, and so withdraw an order, which leaves the host as it is. */
const orderingRights: readonly May[] = ["deploy", "rollback", "reboot"];

/** It brings a closure that a builder has to have stated. */
const bringsClosure = ({ kind }: Order): boolean => kind === "activate" || kind === "fetch";

/** What a signer needs to be allowed for an order like this. */
export function neededFor(order: Order): readonly May[] {
  const needed: May[] = [];
  if (bringsClosure(order)) needed.push("deploy");
  if (order.kind === "rollback") needed.push("rollback");
  if (order.kind === "reboot" || order.reboot === "now") needed.push("reboot");
  if (order.allow?.downgrade === true) needed.push("downgrade");
  // An order that does not say what should be there overwrites whatever is.
  if (order.allow?.drift === true || ("any" in order.expects && order.kind !== "withdraw")) {
    needed.push("drift");
  }
  if (order.allow?.removesListener === true) needed.push("remove-listener");
  return needed;
}

function checkSigner(order: Order, signer: TrustedSigner, { tier }: HostPolicy): void {
  const missing = neededFor(order).filter((may) => !signer.may.includes(may));
  if (missing.length > 0) {
    throw new Refusal("SIGNER_MAY_NOT", `${signer.name} may not order this here: ${missing.join(", ")}`);
  }
  if (order.kind === "withdraw" && !signer.may.some((may) => orderingRights.includes(may))) {
    throw new Refusal("SIGNER_MAY_NOT", `${signer.name} may order nothing here, so it may take nothing back`);
  }
  if (signer.tiers !== undefined && (tier === undefined || !signer.tiers.includes(tier))) {
    throw new Refusal(
      "SIGNER_MAY_NOT",
      `${signer.name} may only order on ${signer.tiers.join(", ")}, and this host is ${tier ?? "of no tier"}`,
    );
  }
}

function checkStatement(order: Order, envelope: Envelope, policy: HostPolicy): Statement | undefined {
  if (!bringsClosure(order)) return undefined;
  const { statement: text, statementSig } = envelope;
  if (text === undefined || statementSig === undefined || order.statementHash === undefined) {
    throw new Refusal("BAD_STATEMENT", "no builder's statement is with it");
  }
  const bytes = bytesOf(text);
  if (hashOfStatement(bytes) !== order.statementHash) {
    throw new Refusal("BAD_STATEMENT", "the statement with it is not the one that the order means");
  }
  const builder = policy.trustedBuilders.find(({ key }) => key === statementSig.key);
  if (builder === undefined) {
    throw new Refusal("UNTRUSTED_BUILDER", `${statementSig.key} is not a builder that this host trusts`);
  }
  if (!isSignedBy("statement", bytes, builder.key, bytesOf(statementSig.sig))) {
    throw new Refusal("BAD_STATEMENT", `the statement's signature is not one of ${builder.name}`);
  }
  return checkStated(order, readStatement(bytes), policy);
}

function readStatement(bytes: Uint8Array): Statement {
  try {
    return decodeStatement(bytes);
  } catch (error) {
    if (error instanceof HomelabError) throw new Refusal("BAD_STATEMENT", error.message);
    throw error;
  }
}

function checkStated(order: Order, statement: Statement, policy: HostPolicy): Statement {
  if (statement.repo !== order.repo || statement.host !== order.host) {
    throw new Refusal("BAD_STATEMENT", `the statement is about ${statement.repo}/${statement.host}`);
  }
  if (statement.path !== order.path) {
    throw new Refusal("BAD_STATEMENT", `the statement is about ${statement.path}`);
  }
  if (!policy.allowedBranches.includes(statement.branch)) {
    throw new Refusal("BRANCH_NOT_ALLOWED", `it was built from the branch ${statement.branch}`);
  }
  if (statement.system !== policy.system) {
    throw new Refusal("WRONG_SYSTEM", `it is for ${statement.system}, and this host is ${policy.system}`);
  }
  return statement;
}

function checkRunning(order: Order, { running, isHandMade, memory, policy }: OrderQuestion): void {
  if (order.kind === "withdraw") return;
  if (policy.hold !== undefined) throw new Refusal("HELD", policy.hold);
  if (memory.isStuck) {
    throw new Refusal("HELD", `${rollbackFailedHold}: look at it, then \`homelab-deploy host recover\``);
  }
  if ("running" in order.expects && order.expects.running !== running) {
    throw new Refusal(
      "CHANGED_MEANWHILE",
      `the order expects ${order.expects.running}, and this host runs ${running ?? "something else"}`,
    );
  }
  if (order.kind === "rollback" && order.path !== memory.previous) {
    throw new Refusal(
      "DOWNGRADE",
      memory.previous === undefined
        ? "this host knows no good system before the one that runs"
        : `a rollback on this host can only go to ${memory.previous}`,
    );
  }
  if (bringsClosure(order) && isHandMade && order.allow?.drift !== true && !("any" in order.expects)) {
    throw new Refusal(
      "CHANGED_MEANWHILE",
      `this host runs ${running ?? "something"}, which no order brought here`,
    );
  }
}
