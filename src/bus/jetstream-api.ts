// Where JetStream is asked. On a leaf node the server next to us may not be the one that has the streams: those of
// another domain have an API of their own, whose subjects cross the leaf connection and those of `$JS.API` do not.
// https://docs.nats.io/running-a-nats-service/configuration/leafnodes/jetstream_leafnodes
import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { requestTimeoutMs } from "./call.ts";
import type { Connection } from "./connect/connection.ts";

type Place = Pick<Connection, "jetstreamDomain">;

/** Without the library's check: it asks for `$JS.API.INFO`, which most roles may not. */
export async function openManager(
  { nats, jetstreamDomain: domain }: Pick<Connection, "nats" | "jetstreamDomain">,
  timeout: number = requestTimeoutMs,
): Promise<JetStreamManager> {
  return jetstreamManager(nats, { checkAPI: false, timeout, domain });
}

/** The subject of a call to the API, such as `STREAM.INFO.BUILD_EVENTS`. */
export const apiSubject = ({ jetstreamDomain }: Place, name: string): string =>
  jetstreamDomain === undefined ? `$JS.API.${name}` : `$JS.${jetstreamDomain}.API.${name}`;

/**
 * Where a message is published for its stream to store it. The servers keep keys of a bucket from crossing a leaf
 * connection, except below the API of its domain.
 */
export const storedSubject = (place: Place, subject: string): string =>
  place.jetstreamDomain !== undefined && subject.startsWith("$KV.") ? apiSubject(place, subject) : subject;
