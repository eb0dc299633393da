// Whether NATS (still) knows a build that somebody follows. A server that was put back to an older state says nothing
// by itself: it only never has anything new.
import { jetstreamManager } from "@nats-io/jetstream";
import type { HomelabError } from "../base/errors.ts";
import type { BuildId } from "../protocol/names.ts";
import { consumers, eventSubject, streams } from "../protocol/subjects.ts";
import { requestTimeoutMs } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { eventsIncomplete } from "./event-sequence.ts";
import { createStreamReader } from "./stored-messages.ts";

/** So many looks in a row must find nothing: the request may still be on its way, for longer than a command tries. */
const looks = 4;

/** How many requests wait that no builder has accepted yet. One attempt. */
export async function readQueueLength({ nats }: Connection): Promise<number> {
  // Without the check: it asks for $JS.API.INFO, which most roles may not.
  const manager = await jetstreamManager(nats, { checkAPI: false, timeout: requestTimeoutMs });
  const info = await manager.consumers.info(streams.requests, consumers.requests);
  return info.num_pending + info.num_ack_pending;
}

/** Looks after the build once. @throws the library's errors: then nothing is known. */
export type KnownBuildCheck = (
  /** The sequence of its last event that was read; 0 for none. */
  lastSequence: number,
) => Promise<HomelabError | undefined>;

export function createKnownBuildCheck(connection: Connection, id: BuildId): KnownBuildCheck {
  const events = createStreamReader(connection, streams.events);
  let unknown = 0;
  return async (lastSequence) => {
    // In this order: a request leaves the queue only when its build has an event.
    const queued = lastSequence > 0 ? 0 : await readQueueLength(connection);
    const last = await events.last(eventSubject(id));
    if (lastSequence > 0) {
      return (last?.sequence ?? 0) >= lastSequence
        ? undefined
        : eventsIncomplete(id, "some that were there before are gone", restored);
    }
    unknown = queued === 0 && last === undefined ? unknown + 1 : 0;
    return unknown < looks
      ? undefined
      : eventsIncomplete(id, "NATS has neither one, nor a request", restored);
  };
}

const restored = "NATS may have been put back to an older state: check it, and ask for the build again";
