// While the client connects again it tells nobody why that fails: a daemon whose server came back with a certificate that is
// not good would be without it, and its log without a reason. `dodialLoop` of
// https://github.com/nats-io/nats.js/blob/main/core/src/protocol.ts
import type { NodeConnectionOptions } from "@nats-io/transport-node";
import { NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";

/** Options of who wants to be told. */
export interface ToldOptions extends NodeConnectionOptions {
  readonly onFailedDial?: (error: unknown) => void;
}

let isInstalled = false;

/** From here on, who connects in this process is told about each attempt that fails. */
export function tellFailedDials(): void {
  if (isInstalled) return;
  isInstalled = true;
  const connect = NodeTransport.prototype.connect;
  NodeTransport.prototype.connect = async function connectAndTell(
    this: NodeTransport,
    place,
    options: ToldOptions,
  ) {
    try {
      await connect.call(this, place, options);
    } catch (error) {
      options.onFailedDial?.(error);
      throw error;
    }
  };
}
