// Writing the event log of a build. The server stores an event only when it follows the one that we know as the
// last: whoever lost the build cannot add to it, however late or often it tries.
import { HomelabError } from "../base/errors.ts";
import { decodeEvent, encodeEvent, type BuildEvent } from "../protocol/events.ts";
import type { BuildId } from "../protocol/names.ts";
import { eventSubject, streams } from "../protocol/subjects.ts";
import { NotTheHolderError, type EventLogWriter } from "./bus.ts";
import { call } from "./call.ts";
import type { Connection } from "./connection.ts";
import { isWrongLastSequence } from "./nats-errors.ts";
import { publishOnce } from "./publish-stored.ts";
import { createStreamReader, type StoredMessage } from "./stored-messages.ts";

/** @throws NotTheHolderError when the log has events beyond the given ones. */
export async function openEventLog(
  connection: Connection,
  id: BuildId,
  history: readonly BuildEvent[],
  signal: AbortSignal,
): Promise<EventLogWriter> {
  const subject = eventSubject(id);
  const stream = createStreamReader(connection, streams.events);
  const readLast = async (): Promise<StoredMessage | undefined> => stream.last(subject);

  const found = await call(connection, `open the event log of build ${id}`, signal, readLast);
  let lastSequence = requireContinuation(id, history, found);
  let nextIndex = history.length;
  let pending: Promise<void> = Promise.resolve();

  async function append(event: BuildEvent, appendSignal: AbortSignal): Promise<void> {
    if (event.build !== id || event.index !== nextIndex) {
      throw new RangeError(`event ${event.index} of build ${event.build} came when ${nextIndex} was next`);
    }
    const data = encodeEvent(event);
    const sequence = await call(connection, `store an event of build ${id}`, appendSignal, async () => {
      try {
        const ack = await publishOnce(connection, {
          subject,
          data,
          messageId: `${id}.${event.epoch}.${event.index}`,
          lastSubjectSequence: lastSequence,
        });
        // A duplicate is our own retry, or another builder that gave its event the same number.
        if (!ack.duplicate) return ack.seq;
      } catch (error) {
        if (!isWrongLastSequence(error)) throw error;
      }
      const last = await readLast();
      return last !== undefined && sameBytes(last.data, data) ? last.sequence : undefined;
    });
    if (sequence === undefined) throw new NotTheHolderError(`another builder holds build ${id}`);
    lastSequence = sequence;
    nextIndex++;
  }

  return {
    append(event, appendSignal) {
      const appended = pending.then(async () => append(event, appendSignal));
      pending = appended.catch(() => {});
      return appended;
    },
  };
}

/** The sequence of the last known event; 0 for none. */
function requireContinuation(
  id: BuildId,
  history: readonly BuildEvent[],
  stored: StoredMessage | undefined,
): number {
  const known = history.at(-1);
  if (known === undefined && stored === undefined) return 0;
  if (known !== undefined && stored !== undefined) {
    const event = decodeEvent(stored.data);
    if (event.index === known.index && event.epoch === known.epoch) return stored.sequence;
    if (event.index < known.index) throw lost(id);
  }
  if (stored === undefined) throw lost(id);
  throw new NotTheHolderError(`another builder has added to the events of build ${id}`);
}

const lost = (id: BuildId): HomelabError =>
  new HomelabError("unavailable", `events of build ${id} that were there before are gone`, {
    code: "EVENTS_INCOMPLETE",
    hint: "the storage of the NATS server was damaged or put back to an older state: check it",
  });

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
