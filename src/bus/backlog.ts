// The backlog, to which builders move batch requests. Whoever asks says in the request itself whether it is urgent, so the queue
// cannot order them: a builder that takes a batch request from it stores it here, and continues with the next.
import { headers as newHeaders, type MsgHdrs } from "@nats-io/transport-node";
import { hasCode } from "../base/errors.ts";
import { asideSubject, consumers } from "../protocol/subjects.ts";
import type { Backlog, Delivery } from "./bus.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { apiCodeOf, apiCodes, isPermissionViolation } from "./connect/nats-errors.ts";
import { nextDelivery, type StoredDelivery } from "./deliveries.ts";
import { openManager } from "./jetstream-api.ts";
import { publishStored } from "./publish-stored.ts";

/** Where the request was stored first: `<sequence> <when> <when the stream was created>`. Its id may depend on it. */
const placeHeader = "Homelab-Deploy-Request";

/**
 * How many requests wait there; `absent` where there is none, `unknown` when our key may not look. One attempt.
 */
export async function readBacklog(connection: Connection): Promise<number | "absent" | "unknown"> {
  const { stream, name } = consumers.backlog;
  try {
    const manager = await openManager(connection);
    const info = await manager.consumers.info(stream, name);
    return info.num_pending + info.num_ack_pending;
  } catch (error) {
    if (isPermissionViolation(error)) return "unknown";
    const code = apiCodeOf(error);
    if (code === apiCodes.streamNotFound || code === apiCodes.consumerNotFound) return "absent";
    throw error;
  }
}

/** Undefined on a server that an earlier release has set up. */
export async function openBacklog(connection: Connection, signal: AbortSignal): Promise<Backlog | undefined> {
  const found = await call(connection, "look for the backlog", signal, async () => readBacklog(connection));
  if (typeof found !== "number") return undefined;
  return {
    async add(delivery, target, addSignal) {
      const { sequence, storedAt, streamCreated, data } = delivery;
      const place = `${sequence} ${storedAt.toISOString()} ${streamCreated}`;
      const headers = newHeaders();
      headers.set(placeHeader, place);
      try {
        await publishStored(
          connection,
          "put a batch request aside",
          // The same request may be moved again if it could not be acknowledged.
          { subject: asideSubject(target), data, messageId: place.replaceAll(" ", "."), headers },
          addSignal,
          attempts,
        );
        return true;
      } catch (error) {
        addSignal.throwIfAborted();
        if (hasCode(error, "QUEUE_FULL", "NATS_PERMISSION", "JETSTREAM_MISSING")) return false;
        throw error;
      }
    },
    async next(nextSignal, options) {
      const delivery = await nextDelivery(connection, consumers.backlog, nextSignal, options);
      return delivery && asQueued(delivery);
    },
  };
}

/** A server that takes nothing leaves the request where it is. */
const attempts = 5;

/** The request as it was, or would be, in the queue. */
function asQueued(delivery: StoredDelivery): Delivery {
  const [, repo, host, aside, ...more] = delivery.subject.split(".");
  const isAside = aside === "aside" && more.length === 0;
  const subject = isAside || aside === undefined ? `build.${repo}.${host}` : delivery.subject;
  return { ...delivery, subject, ...(isAside ? placeIn(delivery.headers) : {}) };
}

function placeIn(
  headers: MsgHdrs | undefined,
): Pick<Delivery, "sequence" | "storedAt" | "streamCreated"> | undefined {
  const [sequence = "", stored = "", streamCreated = ""] = headers?.get(placeHeader).split(" ") ?? [];
  const storedAt = new Date(stored);
  const isPlace = /^\d{1,15}$/.test(sequence) && !Number.isNaN(storedAt.getTime()) && streamCreated !== "";
  return isPlace ? { sequence: Number(sequence), storedAt, streamCreated } : undefined;
}
