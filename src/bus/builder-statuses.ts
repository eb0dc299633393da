// The last status of every builder, from its bucket.
import { decodeBuilderStatus, type BuilderStatus } from "../protocol/builder-status.ts";
import { parseBuilderName } from "../protocol/names.ts";
import { builderKey, streams } from "../protocol/subjects.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { openManager } from "./jetstream-api.ts";
import { readable } from "./readable.ts";
import { createStreamReader } from "./stored-messages.ts";

const keys = "$KV.builders.";

export async function readBuilderStatuses(
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly BuilderStatus[]> {
  const { log } = connection;
  const builders = createStreamReader(connection, streams.builders);
  const info = await call(connection, "list the builders", signal, async () => {
    const manager = await openManager(connection);
    return manager.streams.info(streams.builders, {
      subjects_filter: `${keys}*`,
      deleted_details: false,
      offset: 0,
    });
  });
  const statuses: BuilderStatus[] = [];
  for (const subject of Object.keys(info.state.subjects ?? {})) {
    const name = readable(log, () => parseBuilderName(subject.slice(keys.length)));
    if (name === undefined) continue;
    const message = await call(connection, `read the status of builder ${name}`, signal, async () =>
      builders.last(builderKey(name)),
    );
    // Somebody removed the key with `nats kv del`: the bucket keeps a marker.
    if (message === undefined || message.headers.has("KV-Operation")) continue;
    const status = readable(log, () => decodeBuilderStatus(message.data));
    if (status?.name === name) statuses.push(status);
  }
  return statuses.toSorted((a, b) => a.name.localeCompare(b.name));
}
