// The log of a rollout as it grows. A live message only says that there is something to read.
import { createNotifier } from "../../base/notifier.ts";
import type { RolloutId } from "../../protocol/rollout/rollout-events.ts";
import { live, rolloutSubject, streams } from "../../protocol/subjects.ts";
import type { Connection } from "../connect/connection.ts";
import { explainConnectError, explainNatsError, isMissing, isTransient } from "../connect/nats-errors.ts";
import type { RolloutLog } from "../rollout-bus.ts";
import { createStreamReader, createTail } from "../stored-messages.ts";
import { createRolloutLogReader } from "./rollout-log.ts";

/** Republished messages are not acknowledged; what was missed is found at the latest after this. */
const pollMs = 5000;
const retryMs = 300;

/**
 * The whole log once it is read, also an empty one, and again whenever it grew, until the signal aborts. While NATS is
 * away it waits.
 *
 * @throws HomelabError for a problem that does not resolve by itself, such as a missing permission
 */
export async function* followRollout(
  connection: Connection,
  id: RolloutId,
  signal: AbortSignal,
): AsyncGenerator<RolloutLog, void, void> {
  const { nats, clock } = connection;
  const subject = rolloutSubject(id);
  const notifier = createNotifier();
  const over = new AbortController();
  const tail = createTail(createStreamReader(connection, streams.rollouts), subject);
  const reader = createRolloutLogReader(id, connection.log);
  let failure: Error | undefined;
  let given: number | undefined;

  const doubt = (): void => {
    tail.doubt();
    notifier.notify();
  };
  const stopListening = connection.onChange(doubt);
  const subscription = nats.subscribe(live(subject), {
    callback: (error) => {
      if (error === null) doubt();
      else failure = explainNatsError(error, `follow rollout ${id}`);
      notifier.notify();
    },
  });
  async function poll(): Promise<void> {
    for (;;) {
      await clock.sleep(pollMs, over.signal);
      doubt();
    }
  }
  void poll().catch(() => undefined); // over

  /** Whether there was a message to read. */
  async function readNext(): Promise<boolean> {
    const message = await connection.whileConnected(tail.next(), signal);
    if (message !== undefined) reader.accept(message);
    return message !== undefined;
  }

  async function waitAfter(cause: unknown): Promise<void> {
    if (nats.isClosed()) throw explainConnectError(cause, [nats.getServer()]);
    if (!isTransient(cause) && !isMissing(cause)) {
      throw explainNatsError(cause, `read rollout ${id}`, connection);
    }
    // A server that has just started may not have its streams yet.
    await clock.sleep(isMissing(cause) ? pollMs : retryMs, signal).catch(() => undefined);
  }

  try {
    while (!signal.aborted) {
      if (failure !== undefined) throw failure;
      if (!connection.isConnected()) {
        if (nats.isClosed()) throw explainConnectError(undefined, [nats.getServer()]);
        await notifier.wait(signal).catch(() => undefined);
        continue;
      }
      if (tail.isBehind()) {
        try {
          if (await readNext()) continue;
        } catch (error) {
          if (signal.aborted) return;
          await waitAfter(error);
          continue;
        }
      }
      const log = reader.log();
      if (log.sequence === given) {
        await notifier.wait(signal).catch(() => undefined);
        continue;
      }
      given = log.sequence;
      yield log;
    }
  } finally {
    over.abort();
    stopListening();
    subscription.unsubscribe();
  }
}
