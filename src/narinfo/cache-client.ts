// Our own HTTP client for binary caches. Nix's would not do: what it says about a cache it takes from its cache on disk.
import type { CacheAnswer } from "./cache-answer.ts";
import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { urlToHttpOptions } from "node:url";
import zlib from "node:zlib";
import type { Clock } from "../base/clock.ts";
import { explainCertificateError, isCertificateError } from "../base/certificate-error.ts";
import { hasCode, HomelabError, messageOf } from "../base/errors.ts";
import { http } from "../base/node-http.ts";
import { loadHttps } from "../base/node-tls.ts";
import { retryAfterMs } from "../base/retry-after.ts";
import { retry as retryBy, type RetryPolicy } from "../base/retry.ts";
import { createDeadlines, DeadlineError, noAnswerIn } from "./deadlines.ts";
import { authorizationFor, type NetrcEntry } from "./netrc.ts";
import { isWebPage, mayCarry, mostRedirects, redirectTarget } from "./redirects.ts";

export interface CacheClientOptions {
  /** `http://` or `https://`, a path in it included. */
  readonly url: string;
  /** Sockets at a time; they are kept open. */
  readonly connections: number;
  /** For each request, its whole answer included. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  /** Certificate authorities, PEM, instead of Node's own. A function is asked when TLS is needed. */
  readonly ca?: string | (() => string[]);
  /** As `nodeProxies` gives them. */
  readonly proxies?: Readonly<Record<string, string>>;
  /** Names and passwords by server. */
  readonly netrc?: readonly NetrcEntry[];
}

export interface GetOptions {
  /** The rest of the body is not read. */
  readonly maxBytes: number;
  /** Asks the server for no more than `maxBytes` of it. */
  readonly partly?: boolean;
}

/** What a whole body was read into. */
export interface StreamedAnswer<Result> {
  readonly status: number;
  /** What `read` gave; absent for another status than 200. */
  readonly result?: Result;
  /** See `CacheAnswer`. */
  readonly isWebPage?: boolean;
}

export interface StreamOptions<Result> {
  readonly timeoutMs: number;
  readonly acceptEncoding?: string;
  /**
   * Reads the body to its end; called again at each attempt. Of what it throws, only an `UnusableAnswerError` is
   * thrown without another attempt.
   */
  readonly read: (response: IncomingMessage) => Promise<Result>;
}

export interface CacheClient extends Disposable {
  readonly url: string;
  /**
   * @param path relative to the cache
   * @throws HomelabError `unavailable` with code `CACHE_UNREACHABLE` when there is no answer in time, or only errors
   *   of the server, at every attempt; `refused` with code `TLS_UNTRUSTED`.
   */
  get(path: string, options: GetOptions, signal: AbortSignal): Promise<CacheAnswer>;
  /** @throws like `get`; CutOffError, UnusableAnswerError */
  stream<Result>(
    path: string,
    options: StreamOptions<Result>,
    signal: AbortSignal,
  ): Promise<StreamedAnswer<Result>>;
}

/** The connection ended before the answer did. */
export class CutOffError extends Error {
  override readonly name = "CutOffError";
}

/** What `read` throws of an answer that came and cannot be used: another attempt would give the same. */
export class UnusableAnswerError extends Error {
  override readonly name = "UnusableAnswerError";
}

/** Waiting longer than this is somebody else's decision. */
const longestRetryAfterMs = 30_000;
/** A body that is at most so much longer than what is wanted of it is read, to keep the connection. */
const cheapRestBytes = 64 * 1024;

export function createCacheClient(options: CacheClientOptions): CacheClient {
  const { timeoutMs, retry, clock, netrc = [] } = options;
  const base = new URL(options.url.endsWith("/") ? options.url : `${options.url}/`);
  const agents = createAgents(options);
  const deadlines = createDeadlines(clock);
  const onAbort = createAborts();
  // Once, because taking a URL apart for each request costs more than the request.
  const target = urlToHttpOptions(base);
  const authorizationOf = (url: URL): string | undefined => {
    const carry = mayCarry(base, url);
    if (carry === "none") return undefined;
    return authorizationFor(netrc, url.hostname, { allowsDefault: carry === "any" });
  };
  const baseAuthorization = authorizationOf(base);

  function start(to: URL | string, headers: OutgoingHttpHeaders): ClientRequest {
    const { protocol } = typeof to === "string" ? base : to;
    const authorization = typeof to === "string" ? baseAuthorization : authorizationOf(to);
    return (protocol === "https:" ? loadHttps() : http).request({
      // Some servers take a path for another one when it is escaped otherwise, so it goes as the cache wrote it.
      ...(typeof to === "string" ? { ...target, path: `${base.pathname}${to}` } : urlToHttpOptions(to)),
      agent: agents(protocol),
      headers: {
        "user-agent": "homelab-deploy",
        ...headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
    });
  }

  async function attempt<Result>(
    path: string,
    headers: OutgoingHttpHeaders,
    limitMs: number,
    read: (response: IncomingMessage) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    const startedAt = clock.monotonic();
    let to: URL | string = path;
    let sentBy: number | undefined;
    for (let redirects = 0; ; redirects++) {
      const request = start(to, headers);
      const stopWaiting = onAbort(signal, request);
      const leftMs = limitMs - (clock.monotonic() - startedAt);
      const met = deadlines.start(leftMs, () => request.destroy(noAnswerIn(limitMs)));
      try {
        const response = await answerOf(request).catch((error: unknown): never => {
          // What the cache sends us to is not the cache.
          throw typeof to === "string" || !isLostConnection(error) ? error : new ElsewhereError(to, error);
        });
        try {
          const asked: URL | string = to;
          const here = (): URL => (typeof asked === "string" ? new URL(`${base.href}${asked}`) : asked);
          const next = redirects < mostRedirects ? redirectTarget(response, here) : undefined;
          if (next === undefined) {
            // A login page is not an answer: it counts as what led to it.
            if (sentBy !== undefined && isWebPage(response)) response.statusCode = sentBy;
            return await read(response);
          }
          to = next;
          sentBy = response.statusCode;
        } finally {
          // A socket is only free again when its answer was read to the end.
          if (!response.readableEnded) response.destroy();
        }
      } finally {
        met();
        stopWaiting();
      }
    }
  }

  /** As often as the policy says, as long as it may help. */
  async function persist<Result>(
    path: string,
    act: (isLast: boolean) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    const askedMs = (error: unknown): number => (error instanceof ServerFault ? error.retryAfterMs : 0);
    try {
      return await retryBy({
        policy: retry,
        clock,
        signal,
        attempt: async (number) => act(number >= retry.attempts),
        isTransient: (error) =>
          mayPass(error) && !isCertificateError(error) && askedMs(error) <= longestRetryAfterMs,
        waitMs: (error, delayMs) => Math.max(askedMs(error), delayMs),
      });
    } catch (error) {
      signal.throwIfAborted();
      const untrusted = explainCertificateError(error, `the cache ${options.url}`);
      if (untrusted !== undefined) throw untrusted;
      if (!mayPass(error) || error instanceof CutOffError) throw error;
      throw unreachable(options.url, path, error);
    }
  }

  return {
    url: options.url,
    async get(path, { maxBytes, partly = false }, signal) {
      const headers = partly ? { range: `bytes=0-${maxBytes - 1}` } : {};
      const read = async (response: IncomingMessage, isLast: boolean): Promise<CacheAnswer> => {
        throwServerFault(response, clock);
        const { body, isCutOff } = await readStart(response, maxBytes);
        if (isCutOff && !isLast) throw new CutOffError("the connection ended in the middle of the answer");
        const totalBytes = totalBytesOf(response);
        const status = response.statusCode ?? 0;
        return {
          status,
          body: partly ? body : withoutEncoding(response, body, maxBytes),
          isCutOff,
          totalBytes,
          isWebPage: isWebPage(response),
        };
      };
      return persist(
        path,
        async (isLast) =>
          attempt(path, headers, timeoutMs, async (response) => read(response, isLast), signal),
        signal,
      );
    },
    async stream(path, { timeoutMs: limitMs, acceptEncoding, read }, signal) {
      const headers = acceptEncoding === undefined ? {} : { "accept-encoding": acceptEncoding };
      const readGood = async (response: IncomingMessage) => {
        throwServerFault(response, clock);
        const status = response.statusCode ?? 0;
        if (status !== 200) return { status };
        return { status, result: await read(response), isWebPage: isWebPage(response) };
      };
      return persist(path, async () => attempt(path, headers, limitMs, readGood, signal), signal);
    },
    [Symbol.dispose]() {
      agents.destroy();
      deadlines.stop();
    },
  };
}

/** Faults of the network, the server or the clock; anything else is thrown as it is. */
const mayPass = (error: unknown): boolean =>
  error instanceof ServerFault ||
  error instanceof CutOffError ||
  error instanceof ElsewhereError ||
  error instanceof DeadlineError ||
  (error instanceof Error && "code" in error && typeof error.code === "string");

interface Agents {
  (protocol: string): Agent;
  destroy(): void;
}

/** One for each scheme, made when it is needed first: a redirect may lead from one to the other. */
function createAgents({ connections, ca, proxies }: CacheClientOptions): Agents {
  const common = {
    keepAlive: true,
    maxSockets: connections,
    maxFreeSockets: connections,
    proxyEnv: proxies,
  };
  const made = new Map<string, Agent>();
  const agentOf = (protocol: string): Agent => {
    const known = made.get(protocol);
    if (known !== undefined) return known;
    const agent =
      protocol === "https:"
        ? new (loadHttps().Agent)({ ...common, ca: typeof ca === "function" ? ca() : ca })
        : new http.Agent(common);
    made.set(protocol, agent);
    return agent;
  };
  return Object.assign(agentOf, { destroy: () => made.forEach((agent) => agent.destroy()) });
}

/** The server that a redirect led to ended the connection without an answer. */
class ElsewhereError extends Error {
  override readonly name = "ElsewhereError";

  constructor({ host }: URL, cause: unknown) {
    super(`${host}, where the cache sends us, hangs up: ${messageOf(cause)}`, { cause });
  }
}

/** One listener for each signal, and not one for each request: thousands of them come and go. */
function createAborts(): (signal: AbortSignal, request: ClientRequest) => () => void {
  const waiting = new WeakMap<AbortSignal, Set<ClientRequest>>();
  return (signal, request) => {
    let requests = waiting.get(signal);
    if (requests === undefined) {
      requests = new Set();
      waiting.set(signal, requests);
      const all = requests;
      const abort = (): void => all.forEach((each) => each.destroy(signal.reason as Error));
      signal.addEventListener("abort", abort, { once: true });
    }
    requests.add(request);
    return () => void requests.delete(request);
  };
}

/** The server says that it cannot answer now. */
class ServerFault extends Error {
  override readonly name = "ServerFault";
  readonly retryAfterMs: number;

  constructor(status: number, waitMs: number) {
    super(`it answers with HTTP status ${status}`);
    this.retryAfterMs = waitMs;
  }
}

function throwServerFault({ statusCode = 0, headers }: IncomingMessage, clock: Clock): void {
  if (statusCode < 500 && statusCode !== 429) return;
  throw new ServerFault(statusCode, retryAfterMs(headers["retry-after"], clock.now()) ?? 0);
}

async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.on("response", resolve).on("error", reject).end();
  return promise;
}

/** Reads no more than is wanted, but for a short rest. */
async function readStart(
  response: IncomingMessage,
  maxBytes: number,
): Promise<{ readonly body: Uint8Array; readonly isCutOff: boolean }> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let rest = 0;
  response
    .on("data", (chunk: Buffer) => {
      const wanted = chunk.subarray(0, maxBytes - bytes);
      if (wanted.byteLength > 0) chunks.push(wanted);
      bytes += wanted.byteLength;
      rest += chunk.byteLength - wanted.byteLength;
      if (rest > cheapRestBytes || (bytes === maxBytes && !isRestShort(response))) resolve(false);
    })
    .on("end", () => resolve(false))
    // The error is our own (a deadline, an abort), or the connection was lost.
    .on("error", (error) => (isLostConnection(error) ? resolve(true) : reject(error)));
  const isCutOff = await promise;
  return { body: Buffer.concat(chunks), isCutOff };
}

type Decompress = (body: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;
const decompressors: Readonly<Record<string, Decompress>> = {
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync,
};

/**
 * What Nix itself copies to a cache in S3 is encoded there for good (`narinfo-compression`), and comes so to clients
 * that did not ask for it. What cannot be decoded, or is larger than it may be, is left as it came.
 */
function withoutEncoding(
  { headers }: IncomingMessage,
  body: Uint8Array,
  maxOutputLength: number,
): Uint8Array {
  const decompress = decompressors[headers["content-encoding"] ?? ""];
  if (decompress === undefined) return body;
  try {
    return decompress(body, { maxOutputLength });
  } catch {
    return body;
  }
}

const isRestShort = ({ headers }: IncomingMessage): boolean =>
  Number(headers["content-length"] ?? Number.POSITIVE_INFINITY) <= cheapRestBytes;

/** Node's own error for a response that ends early. */
export const isLostConnection = (error: unknown): boolean => hasCode(error, "ECONNRESET", "EPIPE");

function totalBytesOf({ statusCode, headers }: IncomingMessage): number | undefined {
  if (statusCode === 206) {
    const total = /^bytes \d+-\d+\/(?<total>\d{1,15})$/.exec(headers["content-range"] ?? "")?.groups?.[
      "total"
    ];
    return total === undefined ? undefined : Number(total);
  }
  const isEncoded = (headers["content-encoding"] ?? "identity") !== "identity";
  const length = headers["content-length"];
  return length === undefined || isEncoded ? undefined : Number(length);
}

/** The server takes the connection, and ends it without an answer, at every attempt. */
export class HangUpError extends HomelabError {
  override readonly name = "HangUpError";
}

function unreachable(url: string, path: string, error: unknown): HomelabError {
  const Kind = isLostConnection(error) ? HangUpError : HomelabError;
  return new Kind("unavailable", `the cache ${url} does not answer for ${path}: ${messageOf(error)}`, {
    code: "CACHE_UNREACHABLE",
    hint: "see whether its service runs, and whether this machine reaches it: curl URL/nix-cache-info",
  });
}
