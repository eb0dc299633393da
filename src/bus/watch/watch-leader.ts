// Whether the server that we are connected to knows who leads the event log.
import { streams } from "../../protocol/subjects.ts";
import { leaveLeaderless } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import { leaveAfterMs } from "../connect/leave-server.ts";
import { openManager } from "../jetstream-api.ts";

/** One look; the result of each counts for the next. It rejects never. */
export type LeaderWatch = (signal: AbortSignal) => Promise<void>;

/**
 * For who only reads: a server that is cut off from its cluster goes on answering from its own copy, which has no news. It is
 * left once it has known no leader for longer than an election takes. One that led the stream itself still describes it then,
 * without a leader (2.9 and 2.15).
 */
export function createLeaderWatch(connection: Connection): LeaderWatch {
  const { clock } = connection;
  let since: number | undefined;
  const leaderless = (): boolean => clock.monotonic() - (since ??= clock.monotonic()) >= leaveAfterMs;
  return async (signal) => {
    try {
      const manager = await openManager(connection);
      const { cluster } = await connection.whileConnected(manager.streams.info(streams.events), signal);
      if ((cluster?.leader ?? "") !== "") since = undefined;
      else if (leaderless()) connection.leaveServer();
    } catch (error) {
      if (!signal.aborted && leaderless()) leaveLeaderless(connection, error);
    }
  };
}
