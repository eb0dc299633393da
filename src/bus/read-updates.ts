// Reads the stored results of updates once. `followUpdates` continues to listen.
import { parseRepoName, type RepoName } from "../protocol/names.ts";
import { streams, updateEventSubject } from "../protocol/subjects.ts";
import { decodeUpdateEvent, type UpdateEvent } from "../protocol/update-events.ts";
import type { UpdateReader } from "./bus.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { openManager } from "./jetstream-api.ts";
import { readable } from "./readable.ts";
import { createStreamReader, createTail } from "./stored-messages.ts";

const prefix = "update-events.";

export function createUpdateReader(connection: Connection): UpdateReader {
  const { log } = connection;
  const updates = createStreamReader(connection, streams.updates);

  async function repos(signal: AbortSignal): Promise<readonly RepoName[]> {
    const info = await call(connection, "list the updates", signal, async () => {
      const manager = await openManager(connection);
      return manager.streams.info(streams.updates, {
        subjects_filter: `${prefix}*`,
        deleted_details: false,
        offset: 0,
      });
    });
    return Object.keys(info.state.subjects ?? {}).flatMap(
      (subject) => readable(log, () => parseRepoName(subject.slice(prefix.length))) ?? [],
    );
  }

  return {
    async newest(signal) {
      const found: UpdateEvent[] = [];
      for (const repo of await repos(signal)) {
        const message = await call(connection, `read the last update of ${repo}`, signal, async () =>
          updates.last(updateEventSubject(repo)),
        );
        const event =
          message === undefined ? undefined : readable(log, () => decodeUpdateEvent(message.data));
        if (event?.repo === repo) found.push(event);
      }
      return found.toSorted((a, b) => a.repo.localeCompare(b.repo, "en"));
    },
    async of(repo, signal) {
      const tail = createTail(updates, updateEventSubject(repo));
      const found: UpdateEvent[] = [];
      for (;;) {
        const message = await call(connection, `read the updates of ${repo}`, signal, tail.next);
        if (message === undefined) return found;
        const event = readable(log, () => decodeUpdateEvent(message.data));
        if (event?.repo === repo) found.push(event);
      }
    },
  };
}
