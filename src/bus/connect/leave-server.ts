// Leaving a server of a cluster that is cut off from the others. Its clients stay connected to it, and nothing that they ask
// of JetStream is answered, while the other servers go on. The client itself only leaves a server that is silent.
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";

/** Milliseconds without a leader, which is longer than the others need to elect one. */
export const leaveAfterMs = 10_000;

export interface Departure {
  readonly options: Pick<NodeConnectionOptions, "reconnectToServer">;
  /** Connects to another server than ours, if the client knows one. */
  leave(nats: NatsConnection): void;
}

export function createDeparture(): Departure {
  let left: string | undefined;
  return {
    options: {
      reconnectToServer(servers) {
        const other = left === undefined ? undefined : servers.find(({ listen }) => listen !== left);
        left = undefined;
        return other ?? null;
      },
    },
    leave(nats) {
      left = nats.getServer();
      // Rejects only where the connection is closed.
      nats.reconnect().catch(() => {});
    },
  };
}
