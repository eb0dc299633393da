// The ids under which builders publish (`Nats-Msg-Id`). They do two things: the server stores a repeated message
// once, and readers know a builder's message from what the server itself was tricked into publishing. The server
// answers API requests to any reply subject, also to one that the asker may not publish to, so whoever may read a
// stream can make it publish stored bytes, or its own answers, on `build-events.<id>`. But the id stays what the
// builder gave it, and says where the message belongs.
import type { MsgHdrs } from "@nats-io/transport-node";
import type { BuildEvent } from "../protocol/events.ts";
import type { LogChunk } from "../protocol/log-chunk.ts";
import type { BuildId } from "../protocol/names.ts";

export const eventMessageId = ({
  build,
  epoch,
  index,
}: Pick<BuildEvent, "build" | "epoch" | "index">): string => `${build}.${epoch}.${index}`;

/** Shaped differently from an event's, so that neither can stand for the other. */
export const logMessageId = ({ build, log, index }: Pick<LogChunk, "build" | "log" | "index">): string =>
  `log.${build}.${log}.${index}`;

export const messageIdOf = (headers: MsgHdrs): string => headers.get("Nats-Msg-Id");

/** Whether a builder published it as an event of that build. */
export const isEventOf = (id: BuildId, headers: MsgHdrs): boolean =>
  new RegExp(`^${id}\\.\\d{1,15}\\.\\d{1,15}$`).test(messageIdOf(headers));

/**
 * Whether this is an answer of JetStream's API: a status, a direct get, or one of its JSON responses.
 *
 * Newer servers (seen with 2.12.7) store a status without its header. What is left of "no such message" is empty
 * and cannot be told from an empty request: there a key that may only read can start a build, but not choose of what
 * commit.
 */
export function isServerAnswer(headers: MsgHdrs | undefined, data: Uint8Array): boolean {
  if (headers !== undefined && (headers.code > 0 || headers.has("Nats-Stream"))) return true;
  const start = new TextDecoder().decode(data.subarray(0, 64));
  return start.startsWith('{"type":"io.nats.jetstream.api.');
}

/** The stream that no server has: what expects to be stored in it is never stored. */
export const probedStream = "HOMELAB_DEPLOY_DOCTOR";

/** Whether somebody only tries what its key may do: see probe-permissions.ts. Who listens without a stream gets it all the same. */
export const isProbe = (headers: MsgHdrs | undefined): boolean =>
  headers?.get("Nats-Expected-Stream") === probedStream;
