// Reading streams by direct get: it needs no consumer, and so no right to create one.
import type { DirectStreamAPI } from "@nats-io/jetstream";
import type { MsgHdrs } from "@nats-io/transport-node";
import type { Connection } from "./connect/connection.ts";
import { openManager } from "./jetstream-api.ts";

export interface StoredMessage {
  readonly sequence: number;
  readonly storedAt: Date;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}

export interface StreamReader {
  /** The first message from that sequence on whose subject matches; undefined when there is none yet. */
  next(subjects: string, fromSequence: number): Promise<StoredMessage | undefined>;
  last(subject: string): Promise<StoredMessage | undefined>;
}

/** Each read is one request, tried once: see `call`. */
export function createStreamReader(connection: Connection, stream: string): StreamReader {
  let api: Promise<DirectStreamAPI> | undefined;
  const direct = async (): Promise<DirectStreamAPI> => {
    api ??= openManager(connection).then((manager) => manager.direct);
    return api;
  };
  type Query = Parameters<DirectStreamAPI["getMessage"]>[1];
  async function get(query: Query): Promise<StoredMessage | undefined> {
    const message = await (await direct()).getMessage(stream, query);
    if (message === null) return undefined;
    const { seq: sequence, time: storedAt, subject, data, header: headers } = message;
    return { sequence, storedAt, subject, data, headers };
  }
  return {
    next: async (subjects, fromSequence) => get({ seq: fromSequence, next_by_subj: subjects }),
    last: async (subject) => get({ last_by_subj: subject }),
  };
}

/**
 * Follows a stream by asking for the next message, as fast or slow as its reader wants. What comes in live is
 * only a hint that asking is worth it.
 */
export interface Tail {
  /** Whether there is, or may be, a message that was not read yet. */
  isBehind(): boolean;
  /** A message was stored under that sequence. */
  announce(sequence: number): void;
  /** There may be more than what was announced. */
  doubt(): void;
  /** Messages up to this sequence are not needed. */
  skipTo(sequence: number): void;
  /** The next message; undefined when there is none for now. */
  next(): Promise<StoredMessage | undefined>;
}

export function createTail(reader: StreamReader, subjects: string): Tail {
  let after = 0;
  let announced = 0;
  let doubtful = true;
  return {
    isBehind: () => doubtful || announced > after,
    announce(sequence) {
      announced = Math.max(announced, sequence);
    },
    doubt() {
      doubtful = true;
    },
    skipTo(sequence) {
      after = Math.max(after, sequence);
    },
    async next() {
      const [target, wasDoubtful] = [announced, doubtful];
      doubtful = false;
      try {
        const message = await reader.next(subjects, after + 1);
        if (message !== undefined) {
          after = message.sequence;
          doubtful ||= wasDoubtful;
        } else if (announced === target) {
          // Announced but not there: expired since, or announced by somebody who may not.
          announced = after;
        }
        return message;
      } catch (error) {
        doubtful = true;
        throw error;
      }
    },
  };
}

/** Requests that are under way at once: the server answers while one reads. */
const mostAtOnce = 16;

/**
 * All stored messages of a subject behind that sequence, oldest first, until there is none for now. It guesses that the
 * next ones follow each other in the stream: an answer to a wrong guess is a message that another answer has as well, and
 * after it fewer are guessed.
 */
export async function* readStored(
  next: (fromSequence: number) => Promise<StoredMessage | undefined>,
  after: number,
): AsyncGenerator<StoredMessage, void, void> {
  const asked: Promise<StoredMessage | undefined>[] = [];
  let [last, from, atOnce] = [after, after + 1, 1];
  for (;;) {
    from = Math.max(from, last + 1);
    while (asked.length < atOnce) {
      const answer = next(from++);
      // A reader that stops does not get later failures.
      answer.catch(() => undefined);
      asked.push(answer);
    }
    const message = await asked.shift();
    if (message === undefined) return;
    // An answer to a later guess can be no earlier message.
    if (message.sequence <= last) {
      atOnce = Math.max(1, Math.floor(atOnce / 2));
      continue;
    }
    last = message.sequence;
    atOnce = Math.min(mostAtOnce, atOnce * 2);
    yield message;
  }
}
