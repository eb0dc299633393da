// The rows of builds and hosts, in a bucket of the builders' account. A server that an earlier release set up has none,
// and somebody may delete it: readers then find nothing, and read event logs instead.
import { hasCode } from "../base/errors.ts";
import { parseBuildId } from "../protocol/names.ts";
import {
  decodeBuildResult,
  decodeHostResult,
  encodeBuildResult,
  encodeHostResult,
  newerHostResult,
  type BuildResult,
  type HostResult,
} from "../protocol/results.ts";
import { buildResultKey, hostResultKey, streams } from "../protocol/subjects.ts";
import type { ResultReader, ResultStore } from "./bus.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { isWrongLastSequence } from "./connect/nats-errors.ts";
import { openManager } from "./jetstream-api.ts";
import { publishOnce } from "./publish-stored.ts";
import { readable } from "./readable.ts";
import { createStreamReader, type StoredMessage } from "./stored-messages.ts";

/** A daemon would otherwise wait for a bucket that nobody makes. */
const attempts = 2;
const readsAtOnce = 200;

export function createResultReader(connection: Connection): ResultReader {
  const rows = createStreamReader(connection, streams.results);

  /** What there is, or what holds without the bucket. */
  async function found<T>(
    doing: string,
    without: T,
    read: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    try {
      return await call(connection, doing, signal, read, attempts);
    } catch (error) {
      signal.throwIfAborted();
      if (hasCode(error, "JETSTREAM_MISSING", "NATS_PERMISSION")) return without;
      throw error;
    }
  }

  const keys = async (filter: string, signal: AbortSignal): Promise<readonly string[]> =>
    found(
      "list the results",
      [],
      async () => {
        const manager = await openManager(connection);
        const { state } = await manager.streams.info(streams.results, {
          subjects_filter: filter,
          deleted_details: false,
          offset: 0,
        });
        return Object.keys(state.subjects ?? {});
      },
      signal,
    );

  async function row<T>(
    key: string,
    decode: (data: Uint8Array) => T,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const message = await found("read a result", undefined, () => rows.last(key), signal);
    return message === undefined || message.headers.has("KV-Operation")
      ? undefined
      : readable(connection.log, () => decode(message.data));
  }

  return {
    async builds(signal) {
      const prefix = "$KV.results.build.";
      const ids = (await keys(`${prefix}*`, signal)).flatMap(
        (key) => readable(connection.log, () => parseBuildId(key.slice(prefix.length))) ?? [],
      );
      return new Set(ids);
    },
    build: async (id, signal) => {
      const result = await row(buildResultKey(id), decodeBuildResult, signal);
      return result?.id === id ? result : undefined;
    },
    async hosts(signal) {
      const results: HostResult[] = [];
      const all = await keys("$KV.results.host.>", signal);
      for (let at = 0; at < all.length; at += readsAtOnce) {
        const some = all.slice(at, at + readsAtOnce);
        const read = await Promise.all(
          some.map(async (key) => ({ key, result: await row(key, decodeHostResult, signal) })),
        );
        for (const { key, result } of read) {
          if (result !== undefined && hostResultKey(result) === key) results.push(result);
        }
      }
      return results;
    },
  };
}

/** For builders. Every row is written by compare-and-swap: several builders may have something to say of a host. */
export function createResultStore(connection: Connection): ResultStore {
  const rows = createStreamReader(connection, streams.results);
  /** Rows of hosts as they were last seen, with their place in the stream. */
  const seen = new Map<string, { readonly sequence: number; readonly result: HostResult | undefined }>();

  async function swap(
    key: string,
    stored: { readonly sequence: number },
    data: Uint8Array,
  ): Promise<number | undefined> {
    try {
      const ack = await publishOnce(connection, {
        subject: key,
        data,
        lastSubjectSequence: stored.sequence,
      });
      return ack.seq;
    } catch (error) {
      if (isWrongLastSequence(error)) return undefined;
      throw error;
    }
  }

  const decoded = <T>(message: StoredMessage | undefined, decode: (data: Uint8Array) => T): T | undefined =>
    message === undefined || message.headers.has("KV-Operation")
      ? undefined
      : readable(connection.log, () => decode(message.data));

  async function putBuild(result: BuildResult): Promise<void> {
    const key = buildResultKey(result.id);
    let sequence = 0;
    while ((await swap(key, { sequence }, encodeBuildResult(result))) === undefined) {
      const message = await rows.last(key);
      // Of a log that was shorter then: the server was put back to an older state, or another builder went on with it.
      if ((decoded(message, decodeBuildResult)?.events ?? 0) >= result.events) return;
      sequence = message?.sequence ?? 0;
    }
  }

  async function putHost(result: HostResult): Promise<void> {
    const key = hostResultKey(result);
    for (;;) {
      let known = seen.get(key);
      if (known === undefined) {
        const message = await rows.last(key);
        known = { sequence: message?.sequence ?? 0, result: decoded(message, decodeHostResult) };
      }
      const newer = newerHostResult(known.result, result);
      if (newer === known.result) return;
      seen.delete(key);
      const sequence = await swap(key, known, encodeHostResult(newer));
      if (sequence === undefined) continue;
      seen.set(key, { sequence, result: newer });
      return;
    }
  }

  return {
    ...createResultReader(connection),
    putBuild: async (result, signal) =>
      call(connection, "store the result of a build", signal, async () => putBuild(result), attempts),
    putHost: async (result, signal) =>
      call(connection, "store the result of a host", signal, async () => putHost(result), attempts),
  };
}
