// With TLS 1.3 a server judges our certificate when the client believes that it is connected. It only closes the socket when
// the server's alert comes: who connects would wait until the timeout and not learn why. `NodeTransport.setupHandlers` of
// https://github.com/nats-io/nats.js/blob/main/transport-node/src/node_transport.ts
import { NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";

let isInstalled = false;

/** From here on a connection of this process that ends with an alert ends as if the server had refused our key. */
export function hearRefusedCertificates(): void {
  if (isInstalled) return;
  isInstalled = true;
  const setup = NodeTransport.prototype.setupHandlers;
  NodeTransport.prototype.setupHandlers = function setupWithAlerts(this: NodeTransport) {
    setup.call(this);
    this.socket.once("error", ({ code = "" }: NodeJS.ErrnoException) => {
      if (!code.includes("_ALERT_")) return;
      this.yields.push(new TextEncoder().encode(`-ERR 'Authorization Violation: ${code}'\r\n`));
      this.signal.resolve();
    });
  };
}

/** What the server's alert says about our certificate; undefined when that is not the reason. */
export function refusalOfCertificate(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const text = "code" in error ? `${String(error.code)} ${error.message}` : error.message;
  const alert = /_ALERT_(?<words>[A-Z_]*CERTIFICATE[A-Z_]*|UNKNOWN_CA)/.exec(text)?.groups?.["words"];
  return alert?.toLowerCase().replaceAll("_", " ");
}
