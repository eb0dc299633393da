// Whether NATS (still) knows a build that somebody follows. A server that was restored to an older state says nothing
// by itself: it only never has anything new.
import type { HomelabError } from "../base/errors.ts";
import { presence } from "../protocol/builder-status.ts";
import type { BuildId } from "../protocol/names.ts";
import { readBacklog } from "./backlog.ts";
import { consumers, eventSubject, streams } from "../protocol/subjects.ts";
import { readBuilderStatuses } from "./builder-statuses.ts";
import type { Connection } from "./connect/connection.ts";
import { isServedByOthers } from "./connect/describe-missing.ts";
import { eventsIncomplete } from "./event-sequence.ts";
import { readEventSpace } from "./event-space.ts";
import { openManager } from "./jetstream-api.ts";
import { createStreamReader } from "./stored-messages.ts";

/** How many checks in a row must find nothing: the request may still be under way, for longer than a command tries. */
const looks = 4;
/** With a look every five seconds, longer than a builder takes to say what it holds. */
const looksForHolder = 8;

/** With a look every five seconds, longer than a server takes to get what it lacks from the others. */
const looksAtCopies = 8;

/** How many requests wait that no builder has accepted yet. One attempt. */
export async function readQueueLength(connection: Connection): Promise<number> {
  const { queued, backlog } = await readQueues(connection);
  return typeof backlog === "number" ? queued + backlog : queued;
}

async function readQueues(connection: Connection) {
  const { stream, name } = consumers.requests;
  const manager = await openManager(connection);
  // In this order: what is put aside meanwhile is counted twice, and not left out.
  const { num_pending: pending, num_ack_pending: taken } = await manager.consumers.info(stream, name);
  return { queued: pending + taken, backlog: await readBacklog(connection) };
}

async function mayHaveRequests(connection: Connection): Promise<boolean> {
  const { queued, backlog } = await readQueues(connection);
  return queued > 0 || (backlog !== "absent" && backlog !== 0);
}

/** Looks after the build once. @throws the library's errors: then nothing is known. */
export type KnownBuildCheck = (
  /** The sequence of its last event that was read; 0 for none. */
  lastSequence: number,
  signal: AbortSignal,
) => Promise<HomelabError | undefined>;

export function createKnownBuildCheck(connection: Connection, id: BuildId): KnownBuildCheck {
  const events = createStreamReader(connection, streams.events);
  const gone = eventsIncomplete(id, "some that were there before are gone", restored);
  let unknown = 0;
  let abandoned = 0;
  let behind = 0;

  async function isHeld(signal: AbortSignal): Promise<boolean> {
    const now = connection.clock.now().getTime();
    const statuses = await readBuilderStatuses(connection, signal);
    return statuses.some(
      ({ at, builds }) => builds.includes(id) && now - Date.parse(at) <= presence.goneAfterMs,
    );
  }

  return async (lastSequence, signal) => {
    // In this order: a request leaves the queue only when its build has an event.
    const mayWait = lastSequence === 0 && (await mayHaveRequests(connection));
    const last = await events.last(eventSubject(id));
    if (lastSequence > 0) {
      if ((last?.sequence ?? 0) >= lastSequence) {
        behind = 0;
        return undefined;
      }
      // In a cluster it may be a copy that lags, such as that of a server which has just been away.
      behind++;
      if (isServedByOthers(connection) && behind < looksAtCopies) return undefined;
      const { firstSequence } = await readEventSpace(connection);
      if (firstSequence <= lastSequence) return gone;
      // A full stream dropped them. The builder has the build all the same, and its end will be there.
      abandoned = (await isHeld(signal)) ? 0 : abandoned + 1;
      return abandoned < looksForHolder ? undefined : gone;
    }
    unknown = !mayWait && last === undefined ? unknown + 1 : 0;
    return unknown < looks
      ? undefined
      : eventsIncomplete(id, "NATS has neither one, nor a request", restored);
  };
}

const restored = "NATS may have been put back to an older state: check it, and ask for the build again";
