import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { HomelabError, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { http } from "../base/node-http.ts";
import type { Metrics } from "./metrics.ts";

export interface MetricsServerOptions {
  /** `address:port`, as in the configuration: `127.0.0.1:9480`, `[::1]:9480`. Port 0 takes any that is free. */
  readonly listen: string;
  readonly metrics: Pick<Metrics, "render" | "contentType">;
  /** Whether this process does its work; decides between 200 and 503 on `/healthz`. */
  readonly isHealthy: () => boolean;
  readonly log: Log;
}

export interface MetricsServer extends AsyncDisposable {
  readonly port: number;
}

/** What a scraper needs is small: everything beyond it is cut off. */
const limits = {
  maxHeaderSize: 8 * 1024,
  requestTimeout: 10_000,
  headersTimeout: 5_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
} as const;
const maxConnections = 32;

/**
 * Serves `GET /metrics` and `GET /healthz` until it is disposed.
 *
 * @throws HomelabError `unavailable` with code `METRICS_LISTEN` when the address cannot be used.
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { listen, log } = options;
  const server = http.createServer(limits, (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      log.error({ err: error }, "a metrics request failed");
      if (response.headersSent) response.destroy();
      else send(response, 500, "the metrics cannot be read\n");
    });
  });
  server.maxConnections = maxConnections;
  server.listen(parseListen(listen));
  try {
    await once(server, "listening");
  } catch (error) {
    throw new HomelabError("unavailable", `cannot serve metrics on ${listen}: ${messageOf(error)}`, {
      code: "METRICS_LISTEN",
      hint: "choose another address in metrics.listen (of a host listener.metrics.listen, of the deployer deployer.metrics.listen), or stop the program that has it",
      cause: error,
    });
  }
  server.on("error", (error) => log.error({ err: error }, "the metrics server failed"));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** `[::1]:9480` into what `listen` takes. */
export function parseListen(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(":");
  return {
    host: listen.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(listen.slice(colon + 1)),
  };
}

async function answer(
  { metrics, isHealthy }: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Nobody has a body to send here.
  request.resume();
  const path = request.url?.split("?", 1)[0];
  if (path !== "/metrics" && path !== "/healthz") send(response, 404, "there are /metrics and /healthz\n");
  else if (request.method !== "GET" && request.method !== "HEAD") {
    send(response.setHeader("allow", "GET, HEAD"), 405, "only GET\n");
  } else if (path === "/metrics") {
    const text = await metrics.render();
    send(response.setHeader("content-type", metrics.contentType), 200, text);
  } else if (isHealthy()) send(response, 200, "ok\n");
  else send(response, 503, "not healthy\n");
}

function send(response: ServerResponse, status: number, text: string): void {
  if (!response.hasHeader("content-type")) response.setHeader("content-type", "text/plain; charset=utf-8");
  response.setHeader("cache-control", "no-store");
  response.setHeader("x-content-type-options", "nosniff");
  response.statusCode = status;
  response.end(text);
}
