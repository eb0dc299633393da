import { isUnavailable, hasCode } from "../base/errors.ts";
import { presence } from "../protocol/builder-status.ts";
import type { BuildId } from "../protocol/names.ts";
import { encodeRequest, type BuildRequest } from "../protocol/request.ts";
import { backlogSubject, requestSubject, type Target } from "../protocol/subjects.ts";
import { readBuilderStatuses } from "./builder-statuses.ts";
import type { Connection } from "./connect/connection.ts";
import { publishStored } from "./publish-stored.ts";

/**
 * Stores a request. A batch request goes to the backlog at once where every builder that is there takes requests from
 * it, and into the queue otherwise, from where a builder puts it aside if it can.
 */
export async function submitRequest(
  connection: Connection,
  target: Target,
  request: BuildRequest & { readonly id: BuildId },
  signal: AbortSignal,
): Promise<void> {
  const publication = { data: encodeRequest(request), messageId: request.id };
  if (request.priority === "batch" && (await haveBacklog(connection, signal))) {
    try {
      const subject = backlogSubject(target);
      await publishStored(
        connection,
        "store the build request",
        { ...publication, subject },
        signal,
        attempts,
      );
      return;
    } catch (error) {
      signal.throwIfAborted();
      // No stream, no permission, or no room: the queue may have what the backlog has not.
      if (!isUnavailable(error) && !hasCode(error, "NATS_PERMISSION")) throw error;
    }
  }
  const subject = requestSubject(target);
  await publishStored(connection, "store the build request", { ...publication, subject }, signal);
}

const attempts = 2;

/** Builders of an earlier release would leave it there. */
async function haveBacklog(connection: Connection, signal: AbortSignal): Promise<boolean> {
  try {
    const now = connection.clock.now().getTime();
    const statuses = await readBuilderStatuses(connection, signal);
    const present = statuses.filter(({ at }) => now - Date.parse(at) <= presence.goneAfterMs);
    return present.length > 0 && present.every(({ backlog }) => backlog === true);
  } catch (error) {
    signal.throwIfAborted();
    connection.log.debug({ err: error }, "whether builders have a backlog is not known");
    return false;
  }
}
