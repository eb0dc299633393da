// The client's transport over TCP and TLS, mended where it would trust the wrong server or leave us waiting without a reason:
// https://github.com/nats-io/nats.js/blob/main/transport-node/src/node_transport.ts
import type { ConnectionOptions as TlsConnectionOptions, TLSSocket } from "node:tls";
import {
  NatsConnectionImpl,
  setTransportFactory,
  type NatsConnection,
  type NodeConnectionOptions,
} from "@nats-io/transport-node";
import { NodeTransport, nodeResolveHost } from "@nats-io/transport-node/lib/node_transport.js";
import { loadTls, trustNamedAuthorities } from "../../base/node-tls.ts";

export interface TransportOptions extends NodeConnectionOptions {
  /** Called with the reason of each attempt that fails. While the client connects again, it tells nobody else. */
  readonly onFailedDial?: (error: unknown) => void;
}

/** What `connect` of the library does, over our transport. */
export async function connectOverTransport(options: TransportOptions): Promise<NatsConnection> {
  // The factory is one for the process; each of our connections sets the same.
  setTransportFactory({ factory: () => new Transport(), dnsResolveFn: nodeResolveHost });
  return NatsConnectionImpl.connect(options);
}

export class Transport extends NodeTransport {
  override async connect(
    place: Parameters<NodeTransport["connect"]>[0],
    options: TransportOptions,
  ): Promise<void> {
    try {
      await super.connect(place, options);
    } catch (error) {
      options.onFailedDial?.(error);
      throw error;
    }
  }

  /**
   * The library checks the certificate of a server that is given by its address for the name "localhost", and cannot be told
   * otherwise when it only uses TLS because the server asks for it.
   */
  override async startTLS(): Promise<TLSSocket> {
    const { tls } = this.options;
    if (tls?.caFile === undefined) trustNamedAuthorities();
    const name = this.tlsName === "" ? (this.socket.remoteAddress ?? "") : this.tlsName;
    const checked: NodeConnectionOptions["tls"] & Pick<TlsConnectionOptions, "checkServerIdentity"> = {
      ...tls,
      checkServerIdentity: (_, certificate) => loadTls().checkServerIdentity(name, certificate),
    };
    this.options = { ...this.options, tls: checked };
    return super.startTLS();
  }

  /**
   * With TLS 1.3 a server judges our certificate when the client believes that it is connected. The library only closes the
   * socket at the server's alert: who connects would wait until the timeout. So an alert is read as what servers say when they
   * refuse a key.
   */
  override setupHandlers(): void {
    super.setupHandlers();
    this.socket.once("error", ({ code = "" }: NodeJS.ErrnoException) => {
      if (!code.includes("_ALERT_")) return;
      this.yields.push(new TextEncoder().encode(`-ERR 'Authorization Violation: ${code}'\r\n`));
      this.signal.resolve();
    });
  }

  /**
   * The library leaves the socket of a server open that accepted the connection and then said nothing: a command would not end
   * while the server hangs, and a daemon would have one socket more with every attempt.
   */
  override async close(error?: Error): Promise<void> {
    await super.close(error);
    if (this.connected) return;
    // What is only just being reached is closed by the transport itself, once it is.
    this.done = true;
    this.socket?.destroy();
  }
}

/** What the server's alert says about our certificate; undefined when that is not the reason. */
export function refusalOfCertificate(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const text = "code" in error ? `${String(error.code)} ${error.message}` : error.message;
  const alert = /_ALERT_(?<words>[A-Z_]*CERTIFICATE[A-Z_]*|UNKNOWN_CA)/.exec(text)?.groups?.["words"];
  return alert?.toLowerCase().replaceAll("_", " ");
}
