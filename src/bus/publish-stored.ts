import { jetstream, type JetStreamPublishOptions, type PubAck } from "@nats-io/jetstream";
import type { MsgHdrs } from "@nats-io/transport-node";
import { call, requestTimeoutMs } from "./call.ts";
import { storedSubject } from "./jetstream-api.ts";
import type { Connection } from "./connect/connection.ts";

export interface Publication {
  readonly subject: string;
  readonly data: Uint8Array;
  /** The server stores a message with the same id only once, within the stream's duplicate window. */
  readonly messageId?: string;
  readonly headers?: MsgHdrs;
  /** The sequence of the newest message of the subject, 0 for none; anything else and it is not stored. */
  readonly lastSubjectSequence?: number;
}

/**
 * Publishes until the stream has acknowledged it. The client drops what is published while it is disconnected
 * without a word, hence always with an answer.
 */
export async function publishStored(
  connection: Connection,
  doing: string,
  publication: Publication,
  signal: AbortSignal,
  maxAttempts?: number,
): Promise<PubAck & { readonly attempts: number }> {
  return call(
    connection,
    doing,
    signal,
    async (attempts) => ({ ...(await publishOnce(connection, publication)), attempts }),
    maxAttempts,
  );
}

/** One attempt. Rejects with the library's errors; after a timeout it may be stored or not. */
export async function publishOnce(
  connection: Connection,
  { subject, data, messageId, headers, lastSubjectSequence }: Publication,
): Promise<PubAck> {
  const options: Partial<JetStreamPublishOptions> = {
    timeout: requestTimeoutMs,
    msgID: messageId,
    headers,
    ...(lastSubjectSequence === undefined ? {} : { expect: { lastSubjectSequence } }),
  };
  return jetstream(connection.nats, { timeout: requestTimeoutMs }).publish(
    storedSubject(connection, subject),
    data,
    options,
  );
}
