// Writing the event log of a build. The server stores an event only when it follows the one that we know as the
// last: whoever lost the build cannot add to it, however late or often it tries.
import { isDeepStrictEqual } from "node:util";
import { HomelabError } from "../base/errors.ts";
import { decodeEvent, encodeEvent, type BuildEvent } from "../protocol/events.ts";
import type { BuildId } from "../protocol/names.ts";
import { eventSubject, streams } from "../protocol/subjects.ts";
import { NotTheHolderError, type EventLogWriter } from "./bus.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { isServedByOthers } from "./connect/describe-missing.ts";
import { readEvent } from "./event-sequence.ts";
import { readEventSpace } from "./event-space.ts";
import { eventMessageId } from "./message-ids.ts";
import { isWrongLastSequence } from "./connect/nats-errors.ts";
import { publishOnce } from "./publish-stored.ts";
import { createStreamReader, createTail } from "./stored-messages.ts";

/** For a server that was away and catches up, some seconds. */
const mostLooks = 40;
const betweenLooksMs = 250;

/** @throws NotTheHolderError when the log has events beyond the given ones. */
export async function openEventLog(
  connection: Connection,
  id: BuildId,
  history: readonly BuildEvent[],
  signal: AbortSignal,
): Promise<EventLogWriter> {
  const subject = eventSubject(id);
  const tail = createTail(createStreamReader(connection, streams.events), subject);
  /** The sequence of the newest message on the subject that we have looked at. */
  let lastSequence = 0;
  let nextIndex = (history.at(-1)?.index ?? -1) + 1;
  let pending: Promise<void> = Promise.resolve();
  /** In a cluster any copy of the stream may answer a read, and the one that does may not have everything yet. */
  const mayBeLate = (looks: number): boolean => isServedByOthers(connection) && looks < mostLooks;

  /** The events that were stored since we last looked. */
  async function newEvents(readSignal: AbortSignal): Promise<readonly BuildEvent[]> {
    const events: BuildEvent[] = [];
    for (;;) {
      const message = await call(connection, `read the events of build ${id}`, readSignal, tail.next);
      if (message === undefined) return events;
      lastSequence = message.sequence;
      const event = readEvent(id, message, connection.log);
      if (event !== undefined) events.push(event);
    }
  }

  let last = (await newEvents(signal)).at(-1);
  for (let looks = 0; isBehind(history.at(-1), last) && mayBeLate(looks); looks++) {
    await connection.clock.sleep(betweenLooksMs, signal);
    last = (await newEvents(signal)).at(-1) ?? last;
  }
  requireContinuation(id, history.at(-1), last);

  /** False when the server refused, because it has a message that we do not know. */
  async function publish(event: BuildEvent, data: Uint8Array, appendSignal: AbortSignal): Promise<boolean> {
    return call(connection, `store an event of build ${id}`, appendSignal, async () => {
      try {
        const ack = await publishOnce(connection, {
          subject,
          data,
          messageId: eventMessageId(event),
          lastSubjectSequence: lastSequence,
        });
        // A duplicate is our own retry, or another builder that gave its event the same number.
        if (ack.duplicate) return false;
        lastSequence = ack.seq;
        tail.skipTo(ack.seq);
        return true;
      } catch (error) {
        if (isWrongLastSequence(error)) return false;
        throw error;
      }
    });
  }

  /**
   * The stream was full and dropped all events of the build, which did not say anything for long. It ends all the same:
   * whoever follows it has those events. A stream that was restored to an older state does not have newer ones instead.
   */
  async function wereDropped(readSignal: AbortSignal): Promise<boolean> {
    const { firstSequence } = await call(connection, "look at the event stream", readSignal, async () =>
      readEventSpace(connection),
    );
    return lastSequence > 0 && firstSequence > lastSequence;
  }

  async function append(event: BuildEvent, appendSignal: AbortSignal): Promise<void> {
    if (event.build !== id || event.index !== nextIndex) {
      throw new RangeError(`event ${event.index} of build ${event.build} came when ${nextIndex} was next`);
    }
    const data = encodeEvent(event);
    let looks = 0;
    while (!(await publish(event, data, appendSignal))) {
      const before = lastSequence;
      const found = (await newEvents(appendSignal)).filter(({ index }) => index >= nextIndex);
      const [first] = found;
      // Refused, and yet nothing was added.
      if (first === undefined && lastSequence === before) {
        if (await wereDropped(appendSignal)) lastSequence = 0;
        else if (mayBeLate(looks++)) await connection.clock.sleep(betweenLooksMs, appendSignal);
        else throw eventsIncomplete(id);
      }
      if (first === undefined) continue;
      // Ours, when an acknowledgement got lost; alone, or somebody has taken over since.
      if (found.length === 1 && isSame(first, event)) break;
      throw new NotTheHolderError(`another builder holds build ${id}`);
    }
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

function requireContinuation(
  id: BuildId,
  known: BuildEvent | undefined,
  stored: BuildEvent | undefined,
): void {
  if (isBehind(known, stored)) throw eventsIncomplete(id);
  const isSameEvent = known === undefined || stored === undefined ? known === stored : isSame(known, stored);
  if (!isSameEvent) throw new NotTheHolderError(`another builder has added to the events of build ${id}`);
}

const isBehind = (known: BuildEvent | undefined, stored: BuildEvent | undefined): boolean =>
  (known?.index ?? -1) > (stored?.index ?? -1);

const eventsIncomplete = (id: BuildId): HomelabError =>
  new HomelabError("unavailable", `events of build ${id} that were there before are gone`, {
    code: "EVENTS_INCOMPLETE",
    hint: "the storage of the NATS server was damaged or put back to an older state: check it",
  });

/** Both as a reader has them: without fields that no event has, in the schema's order. */
const isSame = (a: BuildEvent, b: BuildEvent): boolean =>
  isDeepStrictEqual(decodeEvent(encodeEvent(a)), decodeEvent(encodeEvent(b)));
