import { encodeUpdateEvent, updateEventId, type UpdateEvent } from "../protocol/update-events.ts";
import { updateEventSubject } from "../protocol/subjects.ts";
import type { Connection } from "./connect/connection.ts";
import { publishStored } from "./publish-stored.ts";

/** Stores what happened to an update; told twice it is stored once. @throws HomelabError as `call` says. */
export async function publishUpdateEvent(
  connection: Connection,
  event: UpdateEvent,
  signal: AbortSignal,
): Promise<void> {
  const publication = {
    subject: updateEventSubject(event.repo),
    data: encodeUpdateEvent(event),
    messageId: updateEventId(event),
  };
  await publishStored(connection, "store the news of an update", publication, signal);
}
