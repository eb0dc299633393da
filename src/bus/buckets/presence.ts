// Whether a server has a stream. One that has not leaves a direct get without an answer, and who reads would wait in vain.
import type { Connection } from "../connect/connection.ts";
import { isServedByOthers } from "../connect/describe-missing.ts";
import { isLeaderless, isMissing } from "../connect/nats-errors.ts";
import { openManager } from "../jetstream-api.ts";

/** In a cluster nobody answers while there is no leader, and the stream exists. */
const isAbsentFrom =
  (connection: Connection) =>
  (error: unknown): boolean =>
    isMissing(error) && !(isServedByOthers(connection) && isLeaderless(error));

/**
 * Asks until the stream exists. Rejects with the library's errors.
 *
 * @param isAbsent which errors mean that it does not exist
 */
export function createPresence(
  connection: Connection,
  stream: string,
  isAbsent: (error: unknown) => boolean = isAbsentFrom(connection),
): () => Promise<boolean> {
  let asked: Promise<boolean> | undefined;
  async function ask(): Promise<boolean> {
    try {
      const manager = await openManager(connection);
      await manager.streams.info(stream);
      return true;
    } catch (error) {
      asked = undefined;
      if (isAbsent(error)) return false;
      throw error;
    }
  }
  return async () => (asked ??= ask());
}
