// Reading a key-value bucket by direct get. A server that an earlier release set up may not have it, and somebody may delete
// it: readers then find nothing.
import { hasCode } from "../../base/errors.ts";
import { call } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import { openManager } from "../jetstream-api.ts";
import { createPresence } from "./presence.ts";
import { readable } from "../readable.ts";
import { createStreamReader } from "../stored-messages.ts";

/** A daemon would otherwise wait for a bucket that nobody makes. A command gives up by itself. */
export const attempts = 2;
export const readAttempts = ({ role }: Pick<Connection, "role">): number | undefined =>
  role === "daemon" ? attempts : undefined;
const readsAtOnce = 200;

/** @param storedAt by the clock of the server */
type Decode<T> = (data: Uint8Array, storedAt: Date) => T;

export interface BucketReader {
  keys(filter: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Undefined for a key that was deleted, and with a warning for what cannot be read. */
  row<T>(key: string, decode: Decode<T>, signal: AbortSignal): Promise<T | undefined>;
  /** The readable values, by key. */
  rows<T>(filter: string, decode: Decode<T>, signal: AbortSignal): Promise<ReadonlyMap<string, T>>;
}

export function createBucketReader(connection: Connection, bucket: string): BucketReader {
  const stored = createStreamReader(connection, bucket);
  const isThere = createPresence(connection, bucket);

  /** What there is, or what holds without the bucket. */
  async function found<T>(without: T, read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await call(connection, `read ${bucket}`, signal, read, readAttempts(connection));
    } catch (error) {
      signal.throwIfAborted();
      if (hasCode(error, "JETSTREAM_MISSING", "NATS_PERMISSION")) return without;
      throw error;
    }
  }

  const reader: BucketReader = {
    async keys(filter, signal) {
      const list = async (): Promise<readonly string[]> => {
        const manager = await openManager(connection);
        const { state } = await manager.streams.info(bucket, {
          subjects_filter: filter,
          deleted_details: false,
          offset: 0,
        });
        return Object.keys(state.subjects ?? {});
      };
      return found([], list, signal);
    },

    async row(key, decode, signal) {
      const last = async () => ((await isThere()) ? stored.last(key) : undefined);
      const message = await found(undefined, last, signal);
      return message === undefined || message.headers.has("KV-Operation")
        ? undefined
        : readable(connection.log, () => decode(message.data, message.storedAt));
    },

    async rows<T>(filter: string, decode: Decode<T>, signal: AbortSignal) {
      const values = new Map<string, T>();
      const keys = await reader.keys(filter, signal);
      for (let at = 0; at < keys.length; at += readsAtOnce) {
        const some = keys.slice(at, at + readsAtOnce);
        const read = await Promise.all(some.map(async (key) => reader.row(key, decode, signal)));
        for (const [index, value] of read.entries()) {
          const key = some[index];
          if (key !== undefined && value !== undefined) values.set(key, value);
        }
      }
      return values;
    },
  };
  return reader;
}
