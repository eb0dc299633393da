// The rows of builds and hosts, in a bucket of the builders' account. A server that an earlier release set up has none,
// and somebody may delete it: readers then find nothing, and read event logs instead.
import { decodeToldFailures, encodeToldFailures } from "../../protocol/branch-news.ts";
import { parseBuildId } from "../../protocol/names.ts";
import {
  decodeBuildResult,
  decodeHostResult,
  encodeBuildResult,
  encodeHostResult,
  newerHostResult,
  type BuildResult,
  type HostResult,
} from "../../protocol/results.ts";
import { buildResultKey, hostResultKey, streams, toldKey } from "../../protocol/subjects.ts";
import type { ResultReader, ResultStore } from "../bus.ts";
import { call } from "../call.ts";
import { attempts, createBucketReader } from "./bucket.ts";
import type { Connection } from "../connect/connection.ts";
import { isInProcess, isWrongLastSequence } from "../connect/nats-errors.ts";
import { publishOnce } from "../publish-stored.ts";
import { readable } from "../readable.ts";
import { createStreamReader, type StoredMessage } from "../stored-messages.ts";

export function createResultReader(connection: Connection): ResultReader {
  const rows = createBucketReader(connection, streams.results);
  return {
    async builds(signal) {
      const prefix = "$KV.results.build.";
      const ids = (await rows.keys(`${prefix}*`, signal)).flatMap(
        (key) => readable(connection.log, () => parseBuildId(key.slice(prefix.length))) ?? [],
      );
      return new Set(ids);
    },
    build: async (id, signal) => {
      const result = await rows.row(buildResultKey(id), decodeBuildResult, signal);
      return result?.id === id ? result : undefined;
    },
    async hosts(signal) {
      const all = await rows.rows("$KV.results.host.>", decodeHostResult, signal);
      return [...all].flatMap(([key, result]) => (hostResultKey(result) === key ? [result] : []));
    },
  };
}

/** For builders. Every row is written by compare-and-swap, because several builders may report on a host. */
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
      // Another builder was faster, or is about to be.
      if (isWrongLastSequence(error) || isInProcess(error)) return undefined;
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
      // This row is from a shorter log: the server was restored to an older state, or another builder continued with it.
      if ((decoded(message, decodeBuildResult)?.events ?? 0) >= result.events) return;
      sequence = message?.sequence ?? 0;
    }
  }

  async function putHost(result: HostResult): Promise<HostResult> {
    const key = hostResultKey(result);
    for (;;) {
      let known = seen.get(key);
      if (known === undefined) {
        const message = await rows.last(key);
        known = { sequence: message?.sequence ?? 0, result: decoded(message, decodeHostResult) };
      }
      const newer = newerHostResult(known.result, result);
      if (newer === known.result) return newer;
      seen.delete(key);
      const sequence = await swap(key, known, encodeHostResult(newer));
      if (sequence === undefined) continue;
      seen.set(key, { sequence, result: newer });
      return newer;
    }
  }

  return {
    ...createResultReader(connection),
    putBuild: async (result, signal) =>
      call(connection, "store the result of a build", signal, async () => putBuild(result), attempts),
    putHost: async (result, signal) =>
      call(connection, "store the result of a host", signal, async () => putHost(result), attempts),
    told: async (repo, signal) =>
      call(
        connection,
        "read what was told of a branch",
        signal,
        async () => {
          const message = await rows.last(toldKey(repo));
          return { told: decoded(message, decodeToldFailures), sequence: message?.sequence ?? 0 };
        },
        attempts,
      ),
    putTold: async (told, sequence, signal) =>
      call(
        connection,
        "store what was told of a branch",
        signal,
        async () => (await swap(toldKey(told.repo), { sequence }, encodeToldFailures(told))) !== undefined,
        attempts,
      ),
  };
}
