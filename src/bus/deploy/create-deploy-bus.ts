// For those who sign orders.
import { encodeHold } from "../../protocol/deploy/host-state.ts";
import { holdKey, orderSubject, streams } from "../../protocol/subjects.ts";
import { call } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import { isWrongLastSequence } from "../connect/nats-errors.ts";
import type { DeployBus } from "../deploy-bus.ts";
import { publishOnce, publishStored } from "../publish-stored.ts";
import { createStreamReader } from "../stored-messages.ts";
import { createDeployReader } from "./create-deploy-reader.ts";
import { headers } from "@nats-io/transport-node";

/** The connection stays the caller's. */
export function createDeployBus(connection: Connection): DeployBus {
  const orders = createStreamReader(connection, streams.orders);
  return {
    ...createDeployReader(connection),

    async putOrder(address, envelope, afterSequence, signal) {
      const subject = orderSubject(address);
      return call(connection, `store the order for ${address.host}`, signal, async (attempt) => {
        try {
          await publishOnce(connection, { subject, data: envelope, lastSubjectSequence: afterSequence });
          return true;
        } catch (error) {
          if (!isWrongLastSequence(error)) throw error;
          // Ours, when the acknowledgement of an earlier attempt got lost.
          const stored = attempt > 1 ? await orders.last(subject) : undefined;
          return stored !== undefined && Buffer.compare(stored.data, envelope) === 0;
        }
      });
    },

    async putHold(repo, host, hold, signal) {
      const marker = headers();
      // As `nats kv del` does it.
      marker.set("KV-Operation", "DEL");
      await publishStored(
        connection,
        hold === undefined ? "release the hold" : "store the hold",
        {
          subject: holdKey({ repo, host }),
          data: hold === undefined ? new Uint8Array() : encodeHold(hold),
          ...(hold === undefined ? { headers: marker } : {}),
        },
        signal,
      );
    },
  };
}
