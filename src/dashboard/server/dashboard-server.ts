// The HTTP server: what is asked, whether it is allowed, and the answer. Nothing here changes anything.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { HomelabError, messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { logKey } from "../log/log-name.ts";
import { http } from "../../base/node-http.ts";
import type { NewsHub } from "../news/news-hub.ts";
import type { Assets } from "./assets.ts";
import { decideAdmission, securityHeaders, type Asked, type GateSettings } from "./gate.ts";
import { logTextRoute, type LogTextRoute } from "./routes.ts";

/** A page as it is sent. */
export interface Rendered {
  readonly status: number;
  readonly html: string;
}

export interface DashboardServerOptions {
  readonly host: string;
  readonly port: number;
  readonly gate: GateSettings;
  readonly assets: Assets;
  readonly hub: NewsHub;
  readonly renderPage: (address: string, user: string | undefined, signal: AbortSignal) => Promise<Rendered>;
  /** @throws HomelabError when this visitor sees no logs, or there is none */
  readonly logText: (
    route: LogTextRoute,
    user: string | undefined,
    signal: AbortSignal,
  ) => AsyncIterable<string>;
  /** What somebody looks at, as the hub knows it. */
  readonly subjectOf: (address: string, user: string | undefined) => string;
  readonly metrics: () => string;
  readonly isHealthy: () => boolean;
  readonly log: Log;
}

export interface DashboardServer extends AsyncDisposable {
  readonly port: number;
}

const limits = {
  maxHeaderSize: 16 * 1024,
  requestTimeout: 10_000,
  headersTimeout: 5_000,
  keepAliveTimeout: 20_000,
  connectionsCheckingInterval: 1_000,
} as const;
const most = { connections: 1000, news: 200, newsOfOne: 16, address: 2000 } as const;
const zipped = promisify(gzip);

/** @throws HomelabError `unavailable` `DASHBOARD_LISTEN` when the address cannot be used */
export async function startDashboardServer(options: DashboardServerOptions): Promise<DashboardServer> {
  const { host, port, log } = options;
  const newsOf = new Map<string, number>();
  const server = http.createServer(limits, (request, response) => {
    answer(options, newsOf, request, response).catch((error: unknown) => {
      if (response.destroyed) return;
      log.error({ err: error }, "a request failed");
      if (response.headersSent) response.destroy();
      else sendText(response, 500, "this could not be answered\n");
    });
  });
  server.maxConnections = most.connections;
  server.listen({ host: host.replace(/^\[|\]$/g, ""), port });
  try {
    await once(server, "listening");
  } catch (error) {
    throw new HomelabError(
      "unavailable",
      `cannot serve the dashboard on ${host}:${port}: ${messageOf(error)}`,
      {
        code: "DASHBOARD_LISTEN",
        hint: "choose another address in dashboard.listen, or stop the program that has it",
        cause: error,
      },
    );
  }
  server.on("error", (error) => log.error({ err: error }, "the dashboard's server failed"));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  options: DashboardServerOptions,
  newsOf: Map<string, number>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Nobody has a body to send here.
  request.resume();
  for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
  const { method = "", url: address = "/" } = request;
  const { remoteAddress } = request.socket;
  const admission = decideAdmission({ method, headers: headersOf(request), remoteAddress }, options.gate);
  if (admission.type === "refused") {
    if (admission.status === 405) response.setHeader("allow", "GET, HEAD");
    return sendText(response, admission.status, `${admission.message}\n`);
  }
  if (address.length > most.address || !URL.canParse(address, "http://dashboard")) {
    return sendText(response, 400, "this address cannot be read\n");
  }
  const { user } = admission;
  const url = new URL(address, "http://dashboard");
  const { pathname } = url;
  if (pathname === "/healthz") {
    return options.isHealthy() ? sendText(response, 200, "ok\n") : sendText(response, 503, "not healthy\n");
  }
  if (pathname === "/metrics") return sendText(response, 200, options.metrics());
  if (pathname.startsWith("/assets/")) return sendAsset(options.assets, pathname, request, response);
  if (pathname === "/events") return openNews(options, newsOf, { url, user }, request, response);
  const text = logTextRoute(pathname);
  if (text !== undefined) return sendLog(options, text, user, request, response);
  await sendPage(options, `${pathname}${url.search}`, user, request, response);
}

/** A header that came twice keeps both values: the gate takes neither, and a proxy may have meant the other one. */
const headersOf = ({ headersDistinct }: IncomingMessage): Asked["headers"] =>
  Object.fromEntries(
    Object.entries(headersDistinct).map(([name, values]) => [
      name,
      values?.length === 1 ? values[0] : values,
    ]),
  );

const acceptsGzip = ({ headers }: IncomingMessage): boolean =>
  /\bgzip\b/.test(headers["accept-encoding"] ?? "");

async function sendPage(
  { renderPage }: DashboardServerOptions,
  address: string,
  user: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, html } = await renderPage(address, user, endOf(response));
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.setHeader("cache-control", "no-store");
  response.setHeader("vary", "accept-encoding");
  response.statusCode = status;
  if (!acceptsGzip(request)) return void response.end(html);
  response.setHeader("content-encoding", "gzip");
  response.end(await zipped(html, { level: 5 }));
}

function sendAsset(assets: Assets, path: string, request: IncomingMessage, response: ServerResponse): void {
  const asset = assets.find(path);
  if (asset === undefined) return sendText(response, 404, "there is no such file\n");
  response.setHeader("content-type", asset.type);
  response.setHeader("cache-control", "public, max-age=31536000, immutable");
  response.setHeader("vary", "accept-encoding");
  if (!acceptsGzip(request)) return void response.end(asset.body);
  response.setHeader("content-encoding", "gzip");
  response.end(asset.gzipped);
}

function openNews(
  { hub, subjectOf }: DashboardServerOptions,
  newsOf: Map<string, number>,
  { url, user }: { readonly url: URL; readonly user: string | undefined },
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const page = url.searchParams.get("page") ?? "/";
  // Behind a proxy everybody has the proxy's address.
  const who = user ?? request.socket.remoteAddress ?? "";
  const open = newsOf.get(who) ?? 0;
  if (hub.clients() >= most.news || open >= most.newsOfOne) {
    return sendText(response.setHeader("retry-after", "10"), 503, "too many pages are open\n");
  }
  if (!page.startsWith("/") || !URL.canParse(page, "http://dashboard")) {
    return sendText(response, 400, "there is no such page\n");
  }
  newsOf.set(who, open + 1);
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  request.socket.setNoDelay(true);
  const last = request.headers["last-event-id"];
  const mark = typeof last === "string" && last !== "" ? last : (url.searchParams.get("mark") ?? undefined);
  const leave = hub.connect(subjectOf(page, user), mark, {
    get unsent() {
      return response.writableLength;
    },
    write: (bytes) => void response.write(bytes),
    close: () => void response.destroy(),
  });
  response.once("close", () => {
    leave();
    const left = (newsOf.get(who) ?? 1) - 1;
    if (left > 0) newsOf.set(who, left);
    else newsOf.delete(who);
  });
}

/** As it is stored, at the speed of whoever reads it. */
async function sendLog(
  { logText }: DashboardServerOptions,
  route: LogTextRoute,
  user: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const signal = endOf(response);
  try {
    for await (const text of logText(route, user, signal)) {
      if (!response.headersSent) {
        response.writeHead(200, {
          "content-type": "text/plain; charset=utf-8",
          "cache-control": "no-store",
          ...(route.isDownload
            ? {
                "content-disposition": `attachment; filename="${logKey(route.name).replaceAll("/", "-")}.log"`,
              }
            : {}),
        });
        if (request.method === "HEAD") break;
      }
      if (!response.write(text)) await once(response, "drain", { signal });
    }
    response.end();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof HomelabError) || response.headersSent) throw error;
    const status = error.kind === "usage" ? 404 : error.kind === "refused" ? 403 : 503;
    sendText(response, status, `${error.message}\n`);
  }
}

/** Aborts when nobody reads the answer any more. */
function endOf(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("nobody waits for this answer")));
  return gone.signal;
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.setHeader("cache-control", "no-store");
  response.statusCode = status;
  response.end(text);
}
