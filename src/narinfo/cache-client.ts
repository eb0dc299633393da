// Our own HTTP client for binary caches. Nix's would not do: what it says about a cache it takes from its cache on disk.
import type { Readable } from "node:stream";
import zlib from "node:zlib";
import type { Clock } from "../base/clock.ts";
import { explainCertificateError, isCertificateError } from "../base/certificate-error.ts";
import { HomelabError, messageOf } from "../base/errors.ts";
import { retryAfterMs } from "../base/retry-after.ts";
import { retry as retryBy, type RetryPolicy } from "../base/retry.ts";
import {
  headerOf,
  isLostConnection,
  isUnreadable,
  StartExchange,
  StreamExchange,
  type Answer,
  type AnswerHead,
  type BodyStart,
  type Exchange,
} from "./answers.ts";
import type { CacheAnswer } from "./cache-answer.ts";
import { createDeadlines, DeadlineError, noAnswerIn } from "./deadlines.ts";
import { createDispatchers, type Dispatched, type DispatchersOptions } from "./dispatchers.ts";
import { authorizationFor, type NetrcEntry } from "./netrc.ts";
import { isRedirect, isWebPage, mayCarry, mostRedirects, redirectTarget } from "./redirects.ts";

export interface CacheClientOptions extends DispatchersOptions {
  /** `http://` or `https://`, a path in it included. */
  readonly url: string;
  /** For each request, its whole answer included. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
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
  readonly read: (answer: Answer<Readable>) => Promise<Result>;
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

export function createCacheClient(options: CacheClientOptions): CacheClient {
  const { timeoutMs, retry, clock, netrc = [] } = options;
  const base = new URL(options.url.endsWith("/") ? options.url : `${options.url}/`);
  const dispatchers = createDispatchers(options);
  const deadlines = createDeadlines(clock);
  const onAbort = createAborts();
  const closed = new AbortController();
  const authorizationOf = (url: URL): string | undefined => {
    const carry = mayCarry(base, url);
    if (carry === "none") return undefined;
    return authorizationFor(netrc, url.hostname, { allowsDefault: carry === "any" });
  };
  const baseAuthorization = authorizationOf(base);

  async function start(to: URL | string, headers: Headers, exchange: Dispatched): Promise<void> {
    const isBase = typeof to === "string";
    const { protocol, origin } = isBase ? base : to;
    const authorization = isBase ? baseAuthorization : authorizationOf(to);
    const request = {
      method: "GET" as const,
      origin,
      // Some servers take a path for another one when it is escaped otherwise, so it goes as the cache wrote it.
      path: isBase ? `${base.pathname}${to}` : `${to.pathname}${to.search}`,
      headers: {
        "user-agent": "homelab-deploy",
        ...headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
    };
    await dispatchers.dispatch(protocol, request, exchange);
  }

  async function attempt<Body, Result>(
    path: string,
    { headers, limitMs, exchange, read }: Asking<Body, Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    const startedAt = clock.monotonic();
    let to: URL | string = path;
    let sentBy: number | undefined;
    for (let redirects = 0; ; redirects++) {
      signal.throwIfAborted();
      closed.signal.throwIfAborted();
      const current = exchange();
      const stops = [signal, closed.signal].map((each) => onAbort(each, current));
      const leftMs = limitMs - (clock.monotonic() - startedAt);
      const met = deadlines.start(leftMs, () => current.abort(noAnswerIn(limitMs)));
      try {
        const asked: URL | string = to;
        await start(asked, headers, current);
        const answer = await current.answer.catch((error: unknown): never => {
          // What the cache sends us to is not the cache.
          throw typeof asked === "string" || !isLostConnection(error)
            ? error
            : new ElsewhereError(asked, error);
        });
        const here = (): URL => (typeof asked === "string" ? new URL(`${base.href}${asked}`) : asked);
        const next = redirects < mostRedirects ? redirectTarget(answer, here) : undefined;
        if (next === undefined) {
          // A login page is not an answer: it counts as what led to it.
          return await read(
            sentBy !== undefined && isWebPage(answer) ? { ...answer, status: sentBy } : answer,
          );
        }
        to = next;
        sentBy = answer.status;
      } finally {
        current.end();
        met();
        for (const stop of stops) stop();
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
          mayPass(error) &&
          !closed.signal.aborted &&
          !isCertificateError(error) &&
          askedMs(error) <= longestRetryAfterMs,
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
      const asking = (isLast: boolean): Asking<BodyStart, CacheAnswer> => ({
        headers: partly ? { range: `bytes=0-${maxBytes - 1}` } : {},
        limitMs: timeoutMs,
        exchange: () => new StartExchange(maxBytes, isBodyWanted),
        async read(answer) {
          throwServerFault(answer, clock);
          const { bytes, isCutOff } = answer.body;
          if (isCutOff && !isLast) throw new CutOffError("the connection ended in the middle of the answer");
          return {
            status: answer.status,
            body: partly ? bytes : withoutEncoding(answer, bytes, maxBytes),
            isCutOff,
            totalBytes: totalBytesOf(answer),
            isWebPage: isWebPage(answer),
          };
        },
      });
      return persist(path, async (isLast) => attempt(path, asking(isLast), signal), signal);
    },
    async stream<Result>(
      path: string,
      { timeoutMs: limitMs, acceptEncoding, read }: StreamOptions<Result>,
      signal: AbortSignal,
    ) {
      const asking: Asking<Readable, StreamedAnswer<Result>> = {
        headers: acceptEncoding === undefined ? {} : { "accept-encoding": acceptEncoding },
        limitMs,
        exchange: () => new StreamExchange(),
        async read(answer) {
          throwServerFault(answer, clock);
          const { status } = answer;
          if (status !== 200) return { status };
          return { status, result: await read(answer), isWebPage: isWebPage(answer) };
        },
      };
      return persist(path, async () => attempt(path, asking, signal), signal);
    },
    [Symbol.dispose]() {
      closed.abort(new ClosedError("the client is closed"));
      dispatchers[Symbol.dispose]();
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
  error instanceof ClosedError ||
  isUnreadable(error) ||
  (error instanceof Error &&
    !(error instanceof HomelabError) &&
    "code" in error &&
    typeof error.code === "string");

type Headers = Readonly<Record<string, string>>;

/** One question, at each attempt and wherever it is sent on to. */
interface Asking<Body, Result> {
  readonly headers: Headers;
  readonly limitMs: number;
  readonly exchange: () => Exchange<Body>;
  readonly read: (answer: Answer<Body>) => Promise<Result>;
}

/** Whoever made the client does not need answers any more. */
class ClosedError extends Error {
  override readonly name = "ClosedError";
}

/** The server that a redirect led to ended the connection without an answer. */
class ElsewhereError extends Error {
  override readonly name = "ElsewhereError";

  constructor({ host }: URL, cause: unknown) {
    super(`${host}, where the cache sends us, hangs up: ${messageOf(cause)}`, { cause });
  }
}

type Abortable = Pick<Exchange<never>, "abort">;

/** One listener for each signal, and not one for each request: thousands of them come and go. */
function createAborts(): (signal: AbortSignal, exchange: Abortable) => () => void {
  const waiting = new WeakMap<AbortSignal, Set<Abortable>>();
  return (signal, exchange) => {
    let exchanges = waiting.get(signal);
    if (exchanges === undefined) {
      exchanges = new Set();
      waiting.set(signal, exchanges);
      const all = exchanges;
      const abort = (): void => all.forEach((each) => each.abort(signal.reason as Error));
      signal.addEventListener("abort", abort, { once: true });
    }
    exchanges.add(exchange);
    return () => void exchanges.delete(exchange);
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

const isServerFault = ({ status }: AnswerHead): boolean => status >= 500 || status === 429;

/** Where the head decides, a body that does not come is not waited for. */
const isBodyWanted = (head: AnswerHead): boolean => !isServerFault(head) && !isRedirect(head);

function throwServerFault(head: AnswerHead, clock: Clock): void {
  if (!isServerFault(head)) return;
  throw new ServerFault(head.status, retryAfterMs(headerOf(head, "retry-after"), clock.now()) ?? 0);
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
function withoutEncoding(head: AnswerHead, body: Uint8Array, maxOutputLength: number): Uint8Array {
  const decompress = decompressors[headerOf(head, "content-encoding") ?? ""];
  if (decompress === undefined) return body;
  try {
    return decompress(body, { maxOutputLength });
  } catch {
    return body;
  }
}

function totalBytesOf(head: AnswerHead): number | undefined {
  if (head.status === 206) {
    const range = headerOf(head, "content-range") ?? "";
    const total = /^bytes \d+-\d+\/(?<total>\d{1,15})$/.exec(range)?.groups?.["total"];
    return total === undefined ? undefined : Number(total);
  }
  const isEncoded = (headerOf(head, "content-encoding") ?? "identity") !== "identity";
  const length = headerOf(head, "content-length");
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
