// Rollouts as everybody who reads sees them. A server that was set up by an earlier release has none.
import { rolloutIdOfSubject, rolloutSubject, streams } from "../../protocol/subjects.ts";
import { createPresence } from "../buckets/presence.ts";
import { call } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import { apiCodeOf, apiCodes } from "../connect/nats-errors.ts";
import { openManager } from "../jetstream-api.ts";
import { readable } from "../readable.ts";
import type { RolloutReader } from "../rollout-bus.ts";
import type { RolloutSeal } from "../../protocol/rollout/rollout-seal.ts";
import { createStreamReader, readStored } from "../stored-messages.ts";
import { followRollout } from "./follow-rollout.ts";
import { createRolloutLogReader } from "./rollout-log.ts";

/** Only what the server itself says: a deployer that cannot reach it must not take it for one without rollouts. */
const isAbsent = (error: unknown): boolean => apiCodeOf(error) === apiCodes.streamNotFound;

/**
 * The connection stays the caller's.
 *
 * @param seal of the deployer whose rollouts are read; what it did not say is left out, but for what people asked
 */
export function createRolloutReader(connection: Connection, seal?: RolloutSeal): RolloutReader {
  const { log } = connection;
  const isThere = createPresence(connection, streams.rollouts, isAbsent);
  const stored = createStreamReader(connection, streams.rollouts);

  async function read<T>(without: T, doing: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const attempt = async (): Promise<T> => ((await isThere()) ? doing() : without);
    return call(connection, "read rollouts", signal, attempt);
  }

  async function subjects(): Promise<readonly string[]> {
    const manager = await openManager(connection);
    const { state } = await manager.streams.info(streams.rollouts, {
      subjects_filter: "rollout-events.*",
      deleted_details: false,
      offset: 0,
    });
    return Object.keys(state.subjects ?? {});
  }

  return {
    async rolloutIds(signal) {
      const found = await read<readonly string[]>([], subjects, signal);
      const ids = found.flatMap((subject) => readable(log, () => [rolloutIdOfSubject(subject)]) ?? []);
      // ULIDs: what was asked for last sorts last.
      return ids.toSorted().toReversed();
    },

    async readRollout(id, signal) {
      const reader = createRolloutLogReader(id, log, seal);
      const next = async (from: number) =>
        read(undefined, async () => stored.next(rolloutSubject(id), from), signal);
      for await (const message of readStored(next, 0)) reader.accept(message);
      return reader.log();
    },

    async lastSequence(id, signal) {
      const last = await read(undefined, async () => stored.last(rolloutSubject(id)), signal);
      return last?.sequence ?? 0;
    },

    followRollout: (id, signal) => followRollout(connection, id, signal),
  };
}
