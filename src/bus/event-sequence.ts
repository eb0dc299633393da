import { HomelabError, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { decodeEvent, type BuildEvent } from "../protocol/events.ts";
import type { BuildId } from "../protocol/names.ts";
import { eventMessageId, isEventOf, messageIdOf } from "./message-ids.ts";
import type { StoredMessage } from "./stored-messages.ts";

/** Takes the stored messages of one build's event log in order and gives its events without a gap. */
export interface EventSequence {
  /**
   * @returns undefined for an event that was given before, and for what no builder wrote.
   * @throws HomelabError `unavailable` `EVENTS_INCOMPLETE` when one is missing or cannot be read: what follows
   *   would be a wrong picture of the build.
   */
  accept(message: StoredMessage): BuildEvent | undefined;
}

export function createEventSequence(id: BuildId, log: Log): EventSequence {
  let nextIndex = 0;
  return {
    accept(message) {
      const event = readEvent(id, message, log);
      if (event === undefined || event.index < nextIndex) return undefined;
      if (event.index > nextIndex) {
        throw eventsIncomplete(
          id,
          nextIndex === 0
            ? `they begin with number ${event.index}`
            : `number ${event.index} follows ${nextIndex - 1}`,
          "they are older than the stream keeps, or its storage was damaged",
        );
      }
      nextIndex++;
      return event;
    },
  };
}

/**
 * A stored message as an event of that build; undefined, with a warning, for what no builder wrote.
 *
 * @throws HomelabError `unavailable` `EVENTS_INCOMPLETE` when a builder wrote it and it cannot be read.
 */
export function readEvent(
  id: BuildId,
  { headers, data, sequence }: StoredMessage,
  log: Log,
): BuildEvent | undefined {
  if (!isEventOf(id, headers)) {
    log.warn({ build: id, sequence }, "no builder wrote this message among the events; it is left out");
    return undefined;
  }
  let event: BuildEvent;
  try {
    event = decodeEvent(data);
  } catch (error) {
    throw eventsIncomplete(
      id,
      `${messageIdOf(headers)} cannot be read: ${messageOf(error)}`,
      "upgrade this side to the builder's release",
      error,
    );
  }
  if (event.build !== id || eventMessageId(event) !== messageIdOf(headers)) {
    throw eventsIncomplete(
      id,
      `${messageIdOf(headers)} holds another event`,
      "check who has the builders' keys",
    );
  }
  return event;
}

/** The remaining events would give a wrong picture. */
export const eventsIncomplete = (id: BuildId, what: string, hint: string, cause?: unknown): HomelabError =>
  new HomelabError("unavailable", `the events of build ${id} are incomplete: ${what}`, {
    code: "EVENTS_INCOMPLETE",
    hint,
    cause,
  });
