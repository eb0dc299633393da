// What the unprivileged listener says to the activator, one JSON line each way over a socket, and what it hears.
// Nothing that the listener says is believed: an order carries its signatures, and the rest is only evidence for holding
// on or going back.
import * as v from "valibot";
import { deployCodeNames } from "../protocol/deploy/deploy-codes.ts";
import { maxEnvelopeBytes, OrderId } from "../protocol/deploy/order.ts";

export const maxActivatorMessageBytes = 2 * maxEnvelopeBytes;

const address = v.pipe(v.string(), v.maxLength(300));

/** Which addresses on the network answer now. */
export const NetworkEvidence = v.object({
  /** An address that the system before the new one had for NATS. */
  oldNats: v.boolean(),
  /** The addresses that answer. */
  witnesses: v.pipe(v.array(address), v.maxLength(50)),
});
export type NetworkEvidence = v.InferOutput<typeof NetworkEvidence>;

export const ActivatorRequest = v.variant("type", [
  /** Bytes of an envelope in base 64, which the listener has found to be in order. */
  v.object({ type: v.literal("order"), envelope: v.pipe(v.string(), v.maxLength(maxEnvelopeBytes * 2)) }),
  /** The listener has refused what it got: only to be written down. */
  v.object({
    type: v.literal("refused"),
    code: v.picklist(deployCodeNames),
    detail: v.pipe(v.string(), v.maxLength(1000)),
    order: v.optional(OrderId),
  }),
  /** It has stored an event over a fresh connection, and read its orders. Counts only from the new system's listener. */
  v.object({
    type: v.literal("confirm"),
    order: OrderId,
    epoch: v.pipe(v.number(), v.integer(), v.minValue(0)),
  }),
  v.object({ type: v.literal("network"), order: v.optional(OrderId), ...NetworkEvidence.entries }),
]);
export type ActivatorRequest = v.InferOutput<typeof ActivatorRequest>;

/**
 * - `taken`: an order waits for the process that deploys, which was started for it or runs
 * - `noted`: of anything but orders
 * - `ignored`: a word that counts for nothing
 */
export const ActivatorAnswer = v.object({
  answer: v.picklist(["taken", "noted", "ignored"]),
  detail: v.optional(v.pipe(v.string(), v.maxLength(1000))),
});
export type ActivatorAnswer = v.InferOutput<typeof ActivatorAnswer>;

/** The listener's way to the activator. @throws HomelabError `unavailable` when nobody answers at the socket. */
export interface Activator {
  ask(request: ActivatorRequest, signal: AbortSignal): Promise<ActivatorAnswer>;
}
