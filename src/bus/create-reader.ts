import { decodeBuilderStatus } from "../protocol/builder-status.ts";
import { isTerminal, type BuildEvent } from "../protocol/events.ts";
import { parseBuildId, type BuildId } from "../protocol/names.ts";
import { encodeControl } from "../protocol/request.ts";
import { builderStatusSubject, controlSubject, eventSubject, streams } from "../protocol/subjects.ts";
import { readBuilderStatuses } from "./builder-statuses.ts";
import { hasLostEvents, type BuildReader } from "./bus.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { createEventSequence, readEvent } from "./event-sequence.ts";
import { followBuild } from "./follow-build.ts";
import { openManager } from "./jetstream-api.ts";
import { readQueueLength } from "./known-build.ts";
import { createLogOrder, logSubjects } from "./logs/log-order.ts";
import { isEventOf } from "./message-ids.ts";
import { explainNatsError, isNoResponders, isTransient } from "./connect/nats-errors.ts";
import { readable } from "./readable.ts";
import { readQueue } from "./read-queue.ts";
import { createUpdateReader } from "./read-updates.ts";
import { publishStored } from "./publish-stored.ts";
import { createResultReader } from "./buckets/results.ts";
import { createStreamReader, createTail } from "./stored-messages.ts";
import { submitRequest } from "./submit-request.ts";

/** Milliseconds: a builder that is there answers in a few. */
const askTimeoutMs = 1000;
/** The maximum number of looks of `acceptedBuilds`: each costs a small answer. */
const mostLooks = 5000;
const looksAtOnce = 100;

/** The bus for everyone who asks for builds and reads about them. The connection stays the caller's. */
export function createReader(connection: Connection): BuildReader {
  const { log, nats } = connection;
  const events = createStreamReader(connection, streams.events);
  const logs = createStreamReader(connection, streams.logs);
  const managing = openManager(connection);

  /** The subjects that a stream has messages of: 100,000 come with one request. */
  async function subjectsOf(
    stream: string,
    filter: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, number>>> {
    const info = await call(connection, `list ${stream}`, signal, async () => {
      const manager = await managing;
      return manager.streams.info(stream, { subjects_filter: filter, deleted_details: false, offset: 0 });
    });
    return info.state.subjects ?? {};
  }

  async function readEvents(
    id: BuildId,
    fromIndex: number,
    signal: AbortSignal,
  ): Promise<readonly BuildEvent[]> {
    const sequence = createEventSequence(id, log);
    const tail = createTail(events, eventSubject(id));
    const found: BuildEvent[] = [];
    for (;;) {
      const message = await call(connection, `read the events of build ${id}`, signal, tail.next);
      if (message === undefined) return found;
      const event = sequence.accept(message);
      if (event !== undefined && event.index >= fromIndex) found.push(event);
    }
  }

  async function lastKnown(id: BuildId, signal: AbortSignal): Promise<BuildEvent | undefined> {
    try {
      return await reader.lastEvent(id, signal);
    } catch (error) {
      if (hasLostEvents(error)) return undefined;
      throw error;
    }
  }

  const reader: BuildReader = {
    submit: async (target, request, signal) => submitRequest(connection, target, request, signal),

    async control(id, message, signal) {
      // Each message has its own id: the same message, sent again later, must not be taken for this one.
      const publication = {
        subject: controlSubject(id),
        data: encodeControl(message),
        messageId: `${id}.${message.action}.${crypto.randomUUID()}`,
      };
      await publishStored(connection, `${message.action} build ${id}`, publication, signal);
    },

    readEvents,

    follow: (id, options, signal) => followBuild(connection, id, options, signal),

    async *readLogs(id, signal) {
      const order = createLogOrder(log);
      const tail = createTail(logs, logSubjects(id));
      for (;;) {
        const message = await call(connection, `read the logs of build ${id}`, signal, tail.next);
        if (message === undefined) return;
        const chunk = order.accept(message);
        if (chunk !== undefined) yield chunk;
      }
    },

    listBuilds: async (signal) => [...(await reader.countEvents(signal)).keys()],

    async countEvents(signal) {
      const subjects = await subjectsOf(streams.events, "build-events.*", signal);
      const counts = Object.entries(subjects).flatMap(([subject, count]): (readonly [BuildId, number])[] => {
        const id = readable(log, () => parseBuildId(subject.slice("build-events.".length)));
        return id === undefined ? [] : [[id, count]];
      });
      return new Map(counts.toSorted(([a], [b]) => (a < b ? 1 : -1)));
    },

    results: createResultReader(connection),
    updates: createUpdateReader(connection),

    async acceptedBuilds(count, signal) {
      const found: BuildId[] = [];
      const ids = (await reader.listBuilds(signal)).slice(0, mostLooks);
      for (let at = 0; at < ids.length && found.length < count; at += looksAtOnce) {
        const some = ids.slice(at, at + looksAtOnce);
        const last = await Promise.all(some.map((id) => lastKnown(id, signal)));
        found.push(...some.filter((_, index) => wasAccepted(last[index])));
      }
      return found.slice(0, count);
    },

    async lastEvent(id, signal) {
      const message = await call(connection, `read the last event of build ${id}`, signal, async () =>
        events.last(eventSubject(id)),
      );
      if (message === undefined) return undefined;
      if (isEventOf(id, message.headers)) return readable(log, () => readEvent(id, message, log));
      return (await readEvents(id, 0, signal)).at(-1);
    },

    async askBuilder(name, signal) {
      try {
        const asking = nats.request(builderStatusSubject(name), undefined, { timeout: askTimeoutMs });
        const answer = await connection.whileConnected(asking, signal);
        return readable(log, () => decodeBuilderStatus(answer.data));
      } catch (error) {
        signal.throwIfAborted();
        if (isTransient(error) || isNoResponders(error)) return undefined;
        throw explainNatsError(error, `ask the builder ${name}`);
      }
    },

    listBuilders: async (signal) => readBuilderStatuses(connection, signal),

    readQueue: async (signal) => readQueue(connection, signal),

    async queueLength(signal) {
      return call(connection, "read the length of the queue", signal, async () =>
        readQueueLength(connection),
      );
    },
  };

  return reader;
}

/** A build that never was has one event: it was rejected, or ended while it waited. */
const wasAccepted = (last: BuildEvent | undefined): boolean =>
  last !== undefined && !(isTerminal(last) && last.index === 0);
