// The connections to caches. undici takes half of the CPU time of Node's own HTTP client, of which a proof of a cache needs tens
// of thousands of answers.
import type { Dispatcher } from "undici";
import { trustNamedAuthorities } from "../base/node-tls.ts";

export interface DispatchersOptions {
  /** Sockets at a time for each server; they are kept open. */
  readonly connections: number;
  /** For a connection to be made. */
  readonly timeoutMs: number;
  /** Certificate authorities, PEM, instead of Node's own. A function is asked when TLS is needed. */
  readonly ca?: string | (() => string[]) | undefined;
  /** As `nodeProxies` gives them. */
  readonly proxies?: Readonly<Record<string, string>> | undefined;
}

export interface Dispatchers extends Disposable {
  /** One for each scheme, made when it is needed first: a redirect may lead from one to the other. */
  of(protocol: string): Promise<Dispatcher>;
}

export function createDispatchers({ connections, timeoutMs, ca, proxies }: DispatchersOptions): Dispatchers {
  const made = new Map<string, Promise<Dispatcher>>();
  const closed = new AbortController();

  async function make(protocol: string): Promise<Dispatcher> {
    const tls = protocol === "https:" ? { ca: typeof ca === "function" ? ca() : ca } : {};
    if (protocol === "https:") trustNamedAuthorities();
    const common = {
      connections,
      allowH2: false,
      // Who asks has a deadline of its own for the whole answer.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { ...tls, timeout: timeoutMs },
    };
    const proxy = proxies?.[protocol === "https:" ? "https_proxy" : "http_proxy"];
    if (proxy === undefined) {
      const { default: Agent } = await import("undici/lib/dispatcher/agent.js");
      return new Agent(common);
    }
    const { default: EnvHttpProxyAgent } = await import("undici/lib/dispatcher/env-http-proxy-agent.js");
    const { default: Base } = await import("undici/lib/dispatcher/dispatcher.js");
    // Tunnels use it, and only undici's main module gives it to them.
    Base.prototype.connect = (await import("undici/lib/api/api-connect.js")).default;
    return new EnvHttpProxyAgent({
      ...common,
      httpProxy: proxy,
      httpsProxy: proxy,
      noProxy: proxies?.["no_proxy"] ?? "",
      requestTls: tls,
      proxyTls: tls,
    });
  }

  return {
    async of(protocol) {
      closed.signal.throwIfAborted();
      const known = made.get(protocol);
      if (known !== undefined) return known;
      const dispatcher = make(protocol);
      made.set(protocol, dispatcher);
      return dispatcher;
    },
    [Symbol.dispose]() {
      closed.abort();
      for (const dispatcher of made.values()) {
        dispatcher.then(
          async (each) => each.destroy(),
          () => undefined,
        );
      }
    },
  };
}
