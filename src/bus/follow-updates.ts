// The results of updates: the stored ones from the oldest on, and then new ones as they are published.
import { createNotifier } from "../base/notifier.ts";
import { live, streams } from "../protocol/subjects.ts";
import { decodeUpdateEvent, type UpdateEvent } from "../protocol/update-events.ts";
import type { Connection } from "./connect/connection.ts";
import { explainNatsError } from "./connect/nats-errors.ts";
import { createStreamReader, createTail, type StoredMessage } from "./stored-messages.ts";

const subjects = "update-events.*";
/** Republished messages are not acknowledged; what was missed is found at the latest after this. */
const pollMs = 60_000;

/** Ends when the signal aborts. While NATS is away it waits. What cannot be read is left out with a warning. */
export async function* followUpdates(
  connection: Connection,
  signal: AbortSignal,
): AsyncGenerator<UpdateEvent, void, void> {
  const { nats, clock, log } = connection;
  const notifier = createNotifier();
  const tail = createTail(createStreamReader(connection, streams.updates), subjects);
  const doubt = (): void => {
    tail.doubt();
    notifier.notify();
  };
  const stopListening = connection.onChange(doubt);
  // A live message only says that there is something: results come from the stream.
  const subscription = nats.subscribe(live(subjects), {
    callback: (error) => {
      if (error !== null) {
        log.warn({ err: explainNatsError(error, "follow updates") }, "updates arrive late");
      }
      doubt();
    },
  });
  const over = new AbortController();
  void poll().catch(() => undefined); // over
  async function poll(): Promise<void> {
    for (;;) {
      await clock.sleep(pollMs, over.signal);
      doubt();
    }
  }

  async function read(): Promise<StoredMessage | undefined> {
    try {
      return await connection.whileConnected(tail.next(), signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      log.warn({ err: explainNatsError(error, "read the news of updates") }, "updates arrive late");
      // It is asked again at the next notification.
      await notifier.wait(signal).catch(() => undefined);
      return undefined;
    }
  }

  try {
    while (!signal.aborted) {
      if (!connection.isConnected() || !tail.isBehind()) {
        await notifier.wait(signal).catch(() => undefined);
        continue;
      }
      const message = await read();
      const event = message === undefined ? undefined : decoded(message, connection);
      if (event !== undefined) yield event;
    }
  } finally {
    over.abort();
    stopListening();
    subscription.unsubscribe();
  }
}

function decoded({ data, subject }: StoredMessage, { log }: Connection): UpdateEvent | undefined {
  try {
    return decodeUpdateEvent(data);
  } catch (error) {
    log.warn({ subject, err: error }, "a stored message cannot be read and is left out");
    return undefined;
  }
}
