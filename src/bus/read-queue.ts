// What waits for a builder: the requests themselves are for builders only, so this is what the streams say about theirs.
import { hasCode } from "../base/errors.ts";
import { parseRequestSubject, streams, type Target } from "../protocol/subjects.ts";
import type { QueueState } from "./bus.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { openManager } from "./jetstream-api.ts";
import { readable } from "./readable.ts";

const queues = [
  { stream: streams.requests, filter: "build.>", prefix: "build." },
  // A server that an earlier release has set up has none.
  { stream: streams.backlog, filter: "build-backlog.>", prefix: "build-backlog." },
] as const;

export async function readQueue(connection: Connection, signal: AbortSignal): Promise<QueueState> {
  const targets: { target: Target; count: number }[] = [];
  let oldestAt: Date | undefined;
  for (const { stream, filter, prefix } of queues) {
    const state = await stateOf(connection, stream, filter, signal);
    let counted = 0;
    for (const [subject, count] of Object.entries(state?.subjects ?? {})) {
      const [, repo = "", host = ""] = subject.split(".");
      const target = readable(connection.log, () => parseRequestSubject(`build.${repo}.${host}`));
      counted += count;
      if (target !== undefined && subject.startsWith(prefix)) targets.push({ target, count });
    }
    // Where there is something else in the stream as well, the oldest may be that.
    if (state === undefined || counted === 0 || counted !== state.messages) continue;
    const first = new Date(state.first_ts);
    if (oldestAt === undefined || first < oldestAt) oldestAt = first;
  }
  return { waiting: targets.reduce((sum, { count }) => sum + count, 0), oldestAt, targets: merge(targets) };
}

async function stateOf(connection: Connection, stream: string, filter: string, signal: AbortSignal) {
  try {
    const info = await call(connection, `look into ${stream}`, signal, async () => {
      const manager = await openManager(connection);
      return manager.streams.info(stream, { subjects_filter: filter, deleted_details: false, offset: 0 });
    });
    return info.state;
  } catch (error) {
    signal.throwIfAborted();
    if (stream === streams.backlog && hasCode(error, "JETSTREAM_MISSING", "NATS_PERMISSION"))
      return undefined;
    throw error;
  }
}

/** The same hosts may wait in both queues. */
function merge(targets: QueueState["targets"]): QueueState["targets"] {
  const counts = new Map<string, QueueState["targets"][number]>();
  for (const { target, count } of targets) {
    const name = `${target.repo}/${target.host}`;
    counts.set(name, { target, count: count + (counts.get(name)?.count ?? 0) });
  }
  return [...counts.values()].toSorted((a, b) => b.count - a.count);
}
