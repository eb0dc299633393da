// The connections to caches. undici takes half of the CPU time of Node's own HTTP client, of which a proof of a cache needs tens
// of thousands of answers.
import type { Dispatcher } from "undici";
import { HomelabError } from "../base/errors.ts";
import { trustNamedAuthorities } from "../base/node-tls.ts";
import type { Exchange } from "./answers.ts";

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

/** What takes the answer, and may be told to stop before there is one. */
export type Dispatched = Dispatcher.DispatchHandler & Pick<Exchange<never>, "isAborted" | "onQueued">;

export interface Dispatchers extends Disposable {
  dispatch(protocol: string, request: Dispatcher.DispatchOptions, exchange: Dispatched): Promise<void>;
}

interface Made {
  readonly dispatcher: Dispatcher;
  /** undici's own key for what it tells a request that waits: how it leaves the queue. */
  readonly kQueuedAbort: symbol;
}

export function createDispatchers({ connections, timeoutMs, ca, proxies }: DispatchersOptions): Dispatchers {
  /** One for each scheme, made when it is needed first: a redirect may lead from one to the other. */
  const made = new Map<string, Promise<Made>>();

  async function make(protocol: string): Promise<Made> {
    const { kQueuedAbort } = (await import("undici/lib/core/symbols.js")).default;
    return { dispatcher: await makeDispatcher(protocol), kQueuedAbort };
  }

  async function makeDispatcher(protocol: string): Promise<Dispatcher> {
    const variable = protocol === "https:" ? "https_proxy" : "http_proxy";
    const proxy = proxies?.[variable];
    if (proxy !== undefined && !isReadable(proxy)) {
      throw new HomelabError("config", `${variable} of the environment cannot be used`, {
        code: "BAD_PROXY",
        hint: "it is like http://user:password@proxy.lan:3128; in the user and the password write % as %25, and @ as %40",
      });
    }
    if (protocol === "https:" || proxy?.startsWith("https:") === true) trustNamedAuthorities();
    const tls = {
      allowH2: false,
      ...(protocol === "https:" && { ca: typeof ca === "function" ? ca() : ca }),
    };
    const { default: Pool } = await import("undici/lib/dispatcher/pool.js");
    const pool = (origin: string | URL, options: object): Dispatcher =>
      new Pool(origin, { ...limits, ...options });
    const limits = {
      connections,
      connectTimeout: timeoutMs,
      // Who asks has a deadline of its own for the whole answer.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const common = { ...limits, allowH2: false, connect: { ...tls, timeout: timeoutMs }, factory: pool };
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
      // Nobody ends the wait for a tunnel when nobody waits for it any more.
      clientFactory: (origin: URL, options: object) =>
        pool(origin, { ...options, headersTimeout: timeoutMs }),
      httpProxy: proxy,
      httpsProxy: proxy,
      noProxy: proxies?.["no_proxy"] ?? "",
      requestTls: tls,
      proxyTls: tls,
    });
  }

  async function of(protocol: string): Promise<Made> {
    const known = made.get(protocol);
    if (known !== undefined) return known;
    const fresh = make(protocol);
    made.set(protocol, fresh);
    return fresh;
  }

  return {
    async dispatch(protocol, request, exchange) {
      const { dispatcher, kQueuedAbort } = await of(protocol);
      if (exchange.isAborted) return;
      const onQueued = (leaveQueue: (reason: Error) => void): void => exchange.onQueued(leaveQueue);
      dispatcher.dispatch({ ...request, [kQueuedAbort]: onQueued }, exchange);
    },
    [Symbol.dispose]() {
      for (const each of made.values()) {
        each.then(
          async ({ dispatcher }) => dispatcher.destroy(),
          () => undefined,
        );
      }
    },
  };
}

function isReadable(proxy: string): boolean {
  try {
    const { username, password } = new URL(proxy);
    // The bundler drops a call whose result nobody uses.
    return decodeURIComponent(`${username}:${password}`).includes(":");
  } catch {
    return false;
  }
}
