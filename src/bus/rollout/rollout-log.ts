// The log of a rollout as messages.
import type { Log } from "../../base/log.ts";
import {
  decodeRolloutEvent,
  isOfPeople,
  type RolloutEvent,
  type RolloutId,
} from "../../protocol/rollout/rollout-events.ts";
import { sealHeader, type RolloutSeal } from "../../protocol/rollout/rollout-seal.ts";
import type { RolloutLog } from "../rollout-bus.ts";
import type { StoredMessage } from "../stored-messages.ts";

/** Takes the stored messages of one rollout in their order. */
export interface RolloutLogReader {
  accept(message: StoredMessage): void;
  /** What was taken so far. */
  log(): RolloutLog;
}

/**
 * Leaves out, with a warning, what is not an event of this rollout, or one that this release cannot read. Its sequence
 * counts nevertheless, because the server compares with it.
 *
 * @param seal of a deployer, which acts on nothing that others say in its name
 */
export function createRolloutLogReader(id: RolloutId, log: Log, seal?: RolloutSeal): RolloutLogReader {
  const events: RolloutEvent[] = [];
  const foreign: RolloutEvent[] = [];
  let sequence = 0;

  function read({ data }: StoredMessage): RolloutEvent | undefined {
    try {
      const event = decodeRolloutEvent(data);
      if (event.rollout === id) return event;
      log.warn({ rollout: id, sequence }, "this message is about another rollout and is left out");
    } catch (error) {
      log.warn({ rollout: id, sequence, err: error }, "an event of a rollout cannot be read and is left out");
    }
    return undefined;
  }

  return {
    accept(message) {
      const after = sequence;
      sequence = message.sequence;
      const event = read(message);
      if (event === undefined) return;
      const isOurs =
        seal === undefined || seal.isSealed(message.data, after, message.headers.get(sealHeader));
      if (isOurs || (events.length > 0 && isOfPeople(event))) {
        events.push(event);
      } else if (events.length === 0) {
        foreign.push(event);
      } else {
        log.warn(
          { rollout: id, sequence, type: event.type },
          "an event of a rollout is not the deployer's and is left out",
        );
      }
    },
    log: () => ({
      events: [...events],
      sequence,
      ...(events.length === 0 && foreign.length > 0 ? { foreign: [...foreign] } : {}),
    }),
  };
}
