import { HomelabError, messageOf } from "../base/errors.ts";
import { decodeEvent, type BuildEvent } from "../protocol/events.ts";
import type { BuildId } from "../protocol/names.ts";
import type { StoredMessage } from "./stored-messages.ts";

/** Takes the stored messages of one build's event log in order and gives its events without a gap. */
export interface EventSequence {
  /**
   * @returns undefined for an event that was given before.
   * @throws HomelabError `unavailable` `EVENTS_INCOMPLETE` when one is missing or cannot be read: what follows
   *   would be a wrong picture of the build.
   */
  accept(message: StoredMessage): BuildEvent | undefined;
}

export function createEventSequence(id: BuildId): EventSequence {
  let nextIndex = 0;
  const incomplete = (what: string, hint: string, cause?: unknown): HomelabError =>
    new HomelabError("unavailable", `the events of build ${id} are incomplete: ${what}`, {
      code: "EVENTS_INCOMPLETE",
      hint,
      cause,
    });
  return {
    accept(message) {
      let event: BuildEvent;
      try {
        event = decodeEvent(message.data);
      } catch (error) {
        throw incomplete(
          `number ${nextIndex} cannot be read: ${messageOf(error)}`,
          "bring this side to the builder's release",
          error,
        );
      }
      if (event.build !== id) {
        throw incomplete(
          `number ${nextIndex} belongs to another build`,
          "somebody forged it: check the keys",
        );
      }
      if (event.index < nextIndex) return undefined;
      if (event.index > nextIndex) {
        throw incomplete(
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
