// Taking messages from the work queue, one at a time. The library's `next()` cannot be aborted, and its messages
// can be acknowledged only once, even when the acknowledgement got lost; hence the two requests ourselves.
// https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-13.md (pull), ADR-15 (ack subjects)
import type { Msg, MsgHdrs } from "@nats-io/transport-node";
import type { Delivery } from "./bus.ts";
import { call, requestTimeoutMs } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { isServedByOthers } from "./connect/describe-missing.ts";
import { apiSubject, openManager } from "./jetstream-api.ts";
import { isServerAnswer } from "./message-ids.ts";
import { explainNatsError, isTransient } from "./connect/nats-errors.ts";

/** How long the server keeps a request for a message open. */
const waitMs = 20_000;
/** In a cluster the server that keeps it open may be another than ours: when that one dies, nobody says so. */
const waitForOthersMs = 5000;

/** A server that was killed may not know the delivery any more: it stays silent, and delivers again. */
const ackAttempts = 4;

const nanoseconds = (milliseconds: number): number => milliseconds * 1_000_000;

/** With the headers, which whoever published it has chosen. */
export type StoredDelivery = Delivery & { readonly headers: MsgHdrs | undefined };

/** @returns undefined when none came for a while, or the connection broke meanwhile. */
export async function nextDelivery(
  connection: Connection,
  { stream, name }: { readonly stream: string; readonly name: string },
  signal: AbortSignal,
  { wait = true }: { readonly wait?: boolean } = {},
): Promise<StoredDelivery | undefined> {
  await connection.whenConnected(signal);
  const { nats, log } = connection;
  const openMs = isServedByOthers(connection) ? waitForOthersMs : waitMs;
  const pulling = nats.request(
    apiSubject(connection, `CONSUMER.MSG.NEXT.${stream}.${name}`),
    JSON.stringify({ batch: 1, ...(wait ? { expires: nanoseconds(openMs) } : { no_wait: true }) }),
    // Its own inbox: when we stop waiting the server sees it go and gives the message to somebody else.
    { timeout: (wait ? openMs : 0) + requestTimeoutMs, noMux: true },
  );
  let message: Msg | undefined;
  try {
    message = await connection.whileConnected(pulling, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isTransient(error)) throw explainNatsError(error, "take a request from the queue", connection);
    return undefined;
  } finally {
    if (message === undefined) void handBackLate(connection, pulling);
  }
  // A status, such as 408 when none came, has no subject to acknowledge on.
  const ackSubject = message === undefined ? undefined : ackSubjectOf(message);
  if (message === undefined || ackSubject === undefined) return undefined;
  if (isServerAnswer(message.headers, message.data)) {
    // Nobody asks for a build in this way: a reader named our queue as the place for an answer.
    log.error({ subject: message.subject }, "an answer of the server is not a request and is dropped");
    nats.publish(ackSubject, "+TERM");
    return undefined;
  }
  return deliveryOf(connection, stream, message, signal);
}

/** A message that comes when nobody waits any more would lie until the ack wait is over. */
async function handBackLate(connection: Connection, pulling: Promise<Msg>): Promise<void> {
  const message = await pulling.catch(() => undefined);
  const subject = message === undefined ? undefined : ackSubjectOf(message);
  if (subject !== undefined && !connection.nats.isClosed()) connection.nats.publish(subject, "-NAK");
}

const ackSubjectOf = ({ reply }: Msg): string | undefined =>
  reply?.startsWith("$JS.ACK.") === true ? reply : undefined;

async function deliveryOf(
  connection: Connection,
  stream: string,
  message: Msg,
  signal: AbortSignal,
): Promise<StoredDelivery> {
  const { nats } = connection;
  const ackSubject = message.reply ?? "";
  const place = parseAckSubject(ackSubject);
  const streamCreated = await creationOf(connection, stream, signal);
  const say = (word: string): void => {
    // While disconnected it would be dropped anyway; the ack wait covers that.
    if (!nats.isClosed()) nats.publish(ackSubject, word);
  };
  return {
    subject: message.subject,
    data: message.data,
    headers: message.headers,
    ...place,
    streamCreated,
    working: () => say("+WPI"),
    handBack: (delayMs) => say(`-NAK ${JSON.stringify({ delay: nanoseconds(Math.max(0, delayMs)) })}`),
    async ack(ackSignal) {
      await call(
        connection,
        "acknowledge a request",
        ackSignal,
        async () => nats.request(ackSubject, "+ACK", { timeout: requestTimeoutMs }),
        ackAttempts,
      );
    },
  };
}

/** When each stream was created, by connection, with the time of the query. */
const creations = new WeakMap<Connection, Map<string, { readonly created: string; readonly at: number }>>();
/** A stream is not recreated, and full up to the same sequence, in the same millisecond. */
const knownMs = 1000;

async function creationOf(connection: Connection, stream: string, signal: AbortSignal): Promise<string> {
  const known = creations.get(connection) ?? new Map();
  creations.set(connection, known);
  const { clock } = connection;
  const last = known.get(stream);
  if (last !== undefined && clock.monotonic() - last.at < knownMs) return last.created;
  const created = await call(connection, "take a request from the queue", signal, async () => {
    const manager = await openManager(connection);
    return (await manager.streams.info(stream)).created;
  });
  known.set(stream, { created, at: clock.monotonic() });
  return created;
}

/**
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<timestamp ns>.<pending>`; the newer form
 * has `<domain>.<account hash>` after `ACK` and a random token at the end.
 */
export function parseAckSubject(subject: string): Pick<Delivery, "sequence" | "storedAt" | "deliveryCount"> {
  const tokens = subject.split(".");
  const [delivered, sequence, , timestamp] = tokens.slice(tokens.length === 9 ? 4 : 6);
  if (tokens.length < 9 || tokens[1] !== "ACK" || !/^\d{7,20}$/.test(timestamp ?? "")) {
    throw new RangeError(`${JSON.stringify(subject)} is not an acknowledgement subject`);
  }
  return {
    deliveryCount: Number(delivered),
    sequence: Number(sequence),
    storedAt: new Date(Number(BigInt(timestamp ?? 0) / 1_000_000n)),
  };
}
