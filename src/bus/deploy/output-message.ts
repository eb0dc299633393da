// A piece of an activation's output as a message: the text is the payload as it is, the rest is in the headers.
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import * as v from "valibot";
import { OrderId } from "../../protocol/deploy/order.ts";
import { limits } from "../../protocol/wire.ts";
import type { OutputChunk } from "../deploy-bus.ts";
import { messageIdOf } from "../message-ids.ts";
import type { StoredMessage } from "../stored-messages.ts";

export const outputHeaders = {
  order: "Homelab-Order",
  index: "Homelab-Index",
  end: "Homelab-End",
  dropped: "Homelab-Dropped",
} as const;

const count = v.pipe(
  v.string(),
  v.regex(/^\d{1,15}$/),
  v.transform((text) => Number(text)),
);
const Headers = v.object({
  order: OrderId,
  index: count,
  end: count,
  dropped: v.optional(count),
});

/** Each piece is stored once. */
export const outputMessageId = ({ order, index }: Pick<OutputChunk, "order" | "index">): string =>
  `output.${order}.${index}`;

export function encodeOutput(chunk: OutputChunk): { readonly data: Uint8Array; readonly headers: MsgHdrs } {
  const set = headers();
  set.set(outputHeaders.order, chunk.order);
  set.set(outputHeaders.index, String(chunk.index));
  set.set(outputHeaders.end, String(chunk.end));
  if (chunk.dropped !== undefined) set.set(outputHeaders.dropped, String(chunk.dropped));
  return { data: new TextEncoder().encode(chunk.text), headers: set };
}

/** Undefined if it is not a piece of output that we understand. */
export function decodeOutput(message: {
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}): OutputChunk | undefined {
  if (message.data.byteLength > limits.logChunk) return undefined;
  const value = (name: string): string | undefined =>
    message.headers.has(name) ? message.headers.get(name) : undefined;
  const result = v.safeParse(Headers, {
    order: value(outputHeaders.order),
    index: value(outputHeaders.index),
    end: value(outputHeaders.end),
    dropped: value(outputHeaders.dropped),
  });
  return result.success ? { ...result.output, text: new TextDecoder().decode(message.data) } : undefined;
}

/** Undefined for what the host did not store as a piece of output. */
export function readOutputMessage(message: StoredMessage): OutputChunk | undefined {
  const chunk = decodeOutput(message);
  return chunk !== undefined && messageIdOf(message.headers) === outputMessageId(chunk) ? chunk : undefined;
}
