// The client checks the certificate of a server that is given by its address for the name "localhost", and without TLS
// settings it cannot be told otherwise, although it uses TLS where a server asks for it: `NodeTransport.startTLS` of
// https://github.com/nats-io/nats.js/blob/main/transport-node/src/node_transport.ts
import type { ConnectionOptions } from "node:tls";
import type { NodeConnectionOptions } from "@nats-io/transport-node";
import { NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";
import { loadTls, trustNamedAuthorities } from "../../base/node-tls.ts";

let isInstalled = false;

/** From here on each server of this process must have a certificate for the name or address that it was reached by. */
export function checkServerIdentities(): void {
  if (isInstalled) return;
  isInstalled = true;
  const start = NodeTransport.prototype.startTLS;
  NodeTransport.prototype.startTLS = async function startChecked(this: NodeTransport) {
    const { tls } = this.options;
    if (tls?.caFile === undefined) trustNamedAuthorities();
    const name = this.tlsName === "" ? (this.socket.remoteAddress ?? "") : this.tlsName;
    const checked: NodeConnectionOptions["tls"] & Pick<ConnectionOptions, "checkServerIdentity"> = {
      ...tls,
      checkServerIdentity: (_, certificate) => loadTls().checkServerIdentity(name, certificate),
    };
    this.options = { ...this.options, tls: checked };
    return start.call(this);
  };
}
