// How full the event stream is. When it is full the server drops the oldest events, whoever still needs them.
import { jetstreamManager } from "@nats-io/jetstream";
import { streams } from "../protocol/subjects.ts";
import type { EventSpace } from "./bus.ts";
import { requestTimeoutMs } from "./call.ts";
import type { Connection } from "./connect/connection.ts";

/** One attempt. Rejects with the library's errors. */
export async function readEventSpace({ nats }: Connection): Promise<EventSpace> {
  const manager = await jetstreamManager(nats, { checkAPI: false, timeout: requestTimeoutMs });
  const { config, state } = await manager.streams.info(streams.events);
  return {
    bytes: state.bytes,
    maxBytes: config.max_bytes,
    firstSequence: state.first_seq,
    oldestAt: new Date(state.first_ts),
    newestAt: new Date(state.last_ts),
  };
}
