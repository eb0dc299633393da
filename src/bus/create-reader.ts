import { jetstreamManager } from "@nats-io/jetstream";
import { decodeBuilderStatus, type BuilderStatus } from "../protocol/builder-status.ts";
import type { BuildEvent } from "../protocol/events.ts";
import { parseBuilderName, parseBuildId, type BuildId } from "../protocol/names.ts";
import { encodeControl, encodeRequest } from "../protocol/request.ts";
import {
  builderKey,
  builderStatusSubject,
  controlSubject,
  eventSubject,
  requestSubject,
  streams,
} from "../protocol/subjects.ts";
import type { BuildReader } from "./bus.ts";
import { call, requestTimeoutMs } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { createEventSequence, readEvent } from "./event-sequence.ts";
import { followBuild } from "./follow-build.ts";
import { readQueueLength } from "./known-build.ts";
import { createLogOrder, logSubjects } from "./log-order.ts";
import { isEventOf } from "./message-ids.ts";
import { explainNatsError, isNoResponders, isTransient } from "./connect/nats-errors.ts";
import { publishStored } from "./publish-stored.ts";
import { createStreamReader, createTail } from "./stored-messages.ts";

/** Milliseconds: a builder that is there answers in a few. */
const askTimeoutMs = 1000;

/** The bus for everyone who asks for builds and reads about them. The connection stays the caller's. */
export function createReader(connection: Connection): BuildReader {
  const { log, nats } = connection;
  const events = createStreamReader(connection, streams.events);
  const logs = createStreamReader(connection, streams.logs);
  const builders = createStreamReader(connection, streams.builders);
  // Without the check: it asks for $JS.API.INFO, which most roles may not.
  const managing = jetstreamManager(nats, { checkAPI: false, timeout: requestTimeoutMs });

  /** The subjects that a stream has messages of: 100,000 come with one request. */
  async function subjectsOf(stream: string, filter: string, signal: AbortSignal): Promise<readonly string[]> {
    const info = await call(connection, `list ${stream}`, signal, async () => {
      const manager = await managing;
      return manager.streams.info(stream, { subjects_filter: filter, deleted_details: false, offset: 0 });
    });
    return Object.keys(info.state.subjects ?? {});
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

  return {
    async submit(target, request, signal) {
      const publication = {
        subject: requestSubject(target),
        data: encodeRequest(request),
        messageId: request.id,
      };
      await publishStored(connection, "store the build request", publication, signal);
    },

    async control(id, message, signal) {
      // Its own id: the same message once more, later, must not be taken for this one.
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

    async listBuilds(signal) {
      const subjects = await subjectsOf(streams.events, "build-events.*", signal);
      const ids = subjects.flatMap((subject) => {
        const id = readable(() => parseBuildId(subject.slice("build-events.".length)));
        return id ?? [];
      });
      return ids.toSorted((a, b) => (a < b ? 1 : -1));
    },

    async lastEvent(id, signal) {
      const message = await call(connection, `read the last event of build ${id}`, signal, async () =>
        events.last(eventSubject(id)),
      );
      if (message === undefined) return undefined;
      if (isEventOf(id, message.headers)) return readable(() => readEvent(id, message, log));
      return (await readEvents(id, 0, signal)).at(-1);
    },

    async askBuilder(name, signal) {
      try {
        const asking = nats.request(builderStatusSubject(name), undefined, { timeout: askTimeoutMs });
        const answer = await connection.whileConnected(asking, signal);
        return readable(() => decodeBuilderStatus(answer.data));
      } catch (error) {
        signal.throwIfAborted();
        if (isTransient(error) || isNoResponders(error)) return undefined;
        throw explainNatsError(error, `ask the builder ${name}`);
      }
    },

    async listBuilders(signal) {
      const subjects = await subjectsOf(streams.builders, "$KV.builders.*", signal);
      const statuses: BuilderStatus[] = [];
      for (const subject of subjects) {
        const name = readable(() => parseBuilderName(subject.slice("$KV.builders.".length)));
        if (name === undefined) continue;
        const message = await call(connection, `read the status of builder ${name}`, signal, async () =>
          builders.last(builderKey(name)),
        );
        // Somebody removed the key with `nats kv del`: the bucket keeps a marker.
        if (message === undefined || message.headers.has("KV-Operation")) continue;
        const status = readable(() => decodeBuilderStatus(message.data));
        if (status?.name === name) statuses.push(status);
      }
      return statuses.toSorted((a, b) => a.name.localeCompare(b.name));
    },

    async queueLength(signal) {
      return call(connection, "read the length of the queue", signal, async () =>
        readQueueLength(connection),
      );
    },
  };

  /** Undefined, with a warning, for what does not decode: one bad message must not hide the others. */
  function readable<T>(decode: () => T): T | undefined {
    try {
      return decode();
    } catch (error) {
      log.warn({ err: error }, "a stored message cannot be read and is left out");
      return undefined;
    }
  }
}
