// How full the event stream is. When it is full, the server drops the oldest events, even if somebody still needs them.
import { streams } from "../protocol/subjects.ts";
import type { EventSpace } from "./bus.ts";
import type { Connection } from "./connect/connection.ts";
import { openManager } from "./jetstream-api.ts";

/** One attempt. Rejects with the library's errors. */
export async function readEventSpace(connection: Connection): Promise<EventSpace> {
  const manager = await openManager(connection);
  const { config, state } = await manager.streams.info(streams.events);
  return {
    bytes: state.bytes,
    maxBytes: config.max_bytes,
    firstSequence: state.first_seq,
    oldestAt: new Date(state.first_ts),
    newestAt: new Date(state.last_ts),
  };
}
