// The one way in which this program talks to a forge: JSON over HTTP, with a token that goes nowhere else.
import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { explainCertificateError } from "../../base/certificate-error.ts";
import { causesOf, HomelabError, messageOf } from "../../base/errors.ts";
import { decodeJson, jsonOrNothing } from "../../base/json.ts";
import { plainText } from "../../base/terminal-text.ts";
import { retry, type RetryPolicy } from "../../base/retry.ts";
import { OversizedBodyError, readBoundedBody } from "../../base/bounded-body.ts";
import {
  askedMs,
  asksForTooLong,
  badAnswerError,
  failedAnswerError,
  ForgeError,
  noAnswerError,
  wordsOf,
} from "./forge-error.ts";
import { redact } from "../../redact/redact.ts";
import { retryAfterMs } from "../../base/retry-after.ts";

export interface HttpOptions {
  /** Root of the API, such as `https://git.example/sub/api/v1`: without user, query and trailing slash. */
  readonly apiUrl: string;
  /** The word before the token in the `Authorization` header. */
  readonly scheme: "token" | "Bearer";
  readonly headers?: Readonly<Record<string, string>>;
  /** Asked for each call, so that a replaced token is used at once. */
  readonly readToken: () => Promise<string>;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** For one attempt, its body included. */
  readonly timeoutMs?: number;
  readonly retryPolicy?: RetryPolicy;
}

export interface Call<Schema extends v.GenericSchema = v.GenericSchema> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the API's root. Each element is one or more names joined by `/`; they are encoded here. */
  readonly path: readonly (string | number)[];
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: object;
  readonly file?: { readonly field: string; readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> };
  /** What the answer must be; its body is ignored without it. */
  readonly answer: Schema;
}

export interface Answer<Value> {
  readonly value: Value;
  /** `X-Total-Count`, where the forge sends it with a list. */
  readonly totalCount: number | undefined;
}

export interface Http {
  readonly clock: Clock;
  /**
   * What can be repeated without harm is repeated when the forge cannot be reached: every method but POST.
   *
   * @throws HomelabError `refused` TLS_UNTRUSTED; ForgeError as forge-error.ts maps statuses; `unavailable` FORGE_UNREACHABLE without an answer, and
   *   FORGE_BAD_ANSWER for one that is too large, no JSON, or not what the schema says.
   */
  call<Schema extends v.GenericSchema>(
    call: Call<Schema>,
    signal: AbortSignal,
  ): Promise<Answer<v.InferOutput<Schema>>>;
}

/** For answers where only the status matters. */
export const anything = v.unknown();

export const maxAnswerBytes = 8 * 1024 * 1024;
export const forgeRetryPolicy: RetryPolicy = {
  attempts: 4,
  firstDelayMs: 1000,
  factor: 3,
  maxDelayMs: 20_000,
};
const transientStatuses = new Set([429, 502, 503, 504]);

export function createHttp(options: HttpOptions): Http {
  const policy = options.retryPolicy ?? forgeRetryPolicy;
  return {
    clock: options.clock,
    async call(call, signal) {
      return retry({
        policy,
        clock: options.clock,
        signal,
        attempt: async () => attemptCall(options, call, signal),
        isTransient: (error) => call.method !== "POST" && isTransient(error),
        waitMs: (error, delayMs) => askedMs(error) ?? delayMs,
      });
    },
  };
}

/** Unreachable for the moment, and not for longer than we want to wait. */
function isTransient(error: unknown): boolean {
  if (!(error instanceof ForgeError) || error.code !== "FORGE_UNREACHABLE") return false;
  if (asksForTooLong(error)) return false;
  return error.status === undefined || error.status < 500 || transientStatuses.has(error.status);
}

async function attemptCall<Schema extends v.GenericSchema>(
  options: HttpOptions,
  call: Call<Schema>,
  signal: AbortSignal,
): Promise<Answer<v.InferOutput<Schema>>> {
  const url = urlOf(options.apiUrl, call);
  const asked = `${call.method} ${url.origin}${url.pathname}`;
  const token = await usableToken(options.readToken);
  const { response, text } = await send({ options, call, url, asked, token, signal });
  if (!response.ok) {
    throw failedAnswerError({
      asked,
      status: response.status,
      words: wordsOf(failureText(response, text, token), token),
      retryAfterMs: retryAfterMs(response.headers.get("retry-after"), options.clock.now()),
      rateLimited: response.status === 403 && isRateLimit(response.headers),
    });
  }
  const total = response.headers.get("x-total-count");
  const page = titleOf(text, token);
  const result = v.safeParse(call.answer, jsonOrNothing(text));
  if (page !== undefined || !result.success) {
    const because = page === undefined ? unexpected(result.issues ?? []) : `it is a web page, ${page}`;
    throw badAnswerError(asked, response.status, because);
  }
  return {
    value: result.output,
    totalCount: total !== null && /^\d{1,9}$/.test(total) ? Number(total) : undefined,
  };
}

/** GitHub's limit for an hour, and its limit for a moment. */
const isRateLimit = (headers: Headers): boolean =>
  headers.get("x-ratelimit-remaining") === "0" || headers.has("retry-after");

function urlOf(apiUrl: string, { path, query = {} }: Call): URL {
  const segments = path.flatMap((part) => String(part).split("/"));
  // A URL drops these and what stands before them, encoded or not.
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) {
    throw new HomelabError("usage", `${JSON.stringify(path.join("/"))} cannot be part of a forge's URL`, {
      code: "BAD_NAME",
      hint: "give owners, repositories and branches without empty parts, . and ..",
    });
  }
  const url = new URL(`${apiUrl}/${segments.map(encodeURIComponent).join("/")}`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** fetch quotes a header that it does not accept in its error: no such token may get there. */
async function usableToken(readToken: () => Promise<string>): Promise<string> {
  const token = await readToken();
  if (/^[\u0021-\u007e]{1,4096}$/.test(token)) return token;
  throw new HomelabError("config", "the forge's token is empty, too long, or has spaces or controls in it", {
    code: "BAD_SECRET",
    hint: "the token file contains the token alone, in one line",
  });
}

interface Sending {
  readonly options: HttpOptions;
  readonly call: Call;
  readonly url: URL;
  readonly asked: string;
  readonly token: string;
  readonly signal: AbortSignal;
}

async function send(sending: Sending): Promise<{ readonly response: Response; readonly text: string }> {
  const { options, call, url, asked, token, signal } = sending;
  const timeoutMs = options.timeoutMs ?? 30_000;
  const late = new AbortController();
  const done = new AbortController();
  options.clock.sleep(timeoutMs, done.signal).then(
    () => late.abort(new Error(`nothing came within ${timeoutMs / 1000} s`)),
    () => undefined,
  );
  let response: Response | undefined;
  try {
    response = await options.fetch(url, {
      method: call.method,
      headers: {
        accept: "application/json",
        "user-agent": "homelab-deploy",
        ...options.headers,
        authorization: `${options.scheme} ${token}`,
        ...(call.json === undefined ? {} : { "content-type": "application/json" }),
      },
      // Never to another address with our token.
      redirect: "manual",
      signal: AbortSignal.any([signal, late.signal]),
      ...bodyOf(call),
    });
    return { response, text: await readBoundedBody(response, maxAnswerBytes) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof OversizedBodyError) throw badAnswerError(asked, response?.status, error.message);
    const untrusted = explainCertificateError(error, `the forge at ${url.origin}`);
    if (untrusted !== undefined) throw untrusted;
    const reason = late.signal.aborted ? messageOf(late.signal.reason) : reasonOf(error);
    // Without the cause: what fetch throws may contain what it was given.
    throw noAnswerError(asked, wordsOf(reason, token));
  } finally {
    done.abort();
  }
}

/** fetch itself says only "fetch failed"; what happened is in the cause. */
const reasonOf = (error: unknown): string => causesOf(error)[0] ?? messageOf(error);

function bodyOf({ json, file }: Call): { readonly body?: string | FormData } {
  if (file !== undefined) {
    const form = new FormData();
    form.append(file.field, new File([file.bytes], file.name));
    return { body: form };
  }
  if (json === undefined) return {};
  // Gitea refuses what is not valid Unicode (from 1.26 on).
  const wellFormed = (_key: string, value: unknown): unknown =>
    typeof value === "string" ? value.toWellFormed() : value;
  return { body: JSON.stringify(json, wellFormed) };
}

/** The forge's words about a failure: `message` of its JSON, or the title of a proxy's page. */
function failureText(response: Response, text: string, token: string): string {
  const location = response.headers.get("location");
  if (location !== null) return `it moved to ${redact(location, [token]).split("?")[0] ?? ""}`;
  const page = titleOf(text, token);
  if (page !== undefined) return `a web page, ${page}`;
  const failure = decodeJson(Failure, text);
  if (failure === undefined) return "";
  const { message, errors } = failure;
  const details = errors.map((error) => (typeof error === "string" ? error : error.message));
  return [message, ...details].filter((words) => words !== "").join("; ");
}

/** Gitea's details are texts, GitHub's are objects, not all of them with a message. */
const Failure = v.object({
  message: v.string(),
  errors: v.fallback(v.array(v.union([v.string(), v.object({ message: v.optional(v.string(), "") })])), []),
});

/** Leaves out what was received instead: it may be anything. */
const unexpected = (issues: readonly v.BaseIssue<unknown>[]): string =>
  issues
    .slice(0, 5)
    .map((issue) => `${v.getDotPath(issue) ?? "it"} is not ${issue.expected ?? issue.type}`)
    .join("; ");

/** Proxies, sign-in portals and wrong URLs answer with HTML. */
function titleOf(text: string, token: string): string | undefined {
  if (!/^\s*<(?:!doctype html|html|head|center)\b/i.test(text)) return undefined;
  // A cut must not leave a part of the token.
  const start = redact(text.slice(0, 65_536), [token]);
  const title = /<title[^>]*>(?<title>[^<]{0,200})/i.exec(start)?.groups?.["title"];
  return title === undefined ? "without a title" : JSON.stringify(plainText(title).trim());
}
