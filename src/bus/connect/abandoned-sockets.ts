// The client stops waiting for a server that accepts a connection and then says nothing, but leaves its socket open: a
// command would not end while the server hangs, and a daemon would have one socket more with every attempt.
// `NodeTransport._closed` of https://github.com/nats-io/nats.js/blob/main/transport-node/src/node_transport.ts
import { NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";

let isInstalled = false;

/** From here on a connection of this process that is given up before it was made is closed. */
export function closeAbandonedSockets(): void {
  if (isInstalled) return;
  isInstalled = true;
  const close = NodeTransport.prototype.close;
  NodeTransport.prototype.close = async function closeWholly(this: NodeTransport, error?: Error) {
    await close.call(this, error);
    if (this.connected) return;
    // What is only just being reached is closed by the transport itself, once it is.
    this.done = true;
    this.socket?.destroy();
  };
}
