import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { SubstituterProbe, Realiser } from "../realiser.ts";

const deadlineMs = 3_000;
const rememberedMs = 60_000;
const maxAnswerBytes = 64 * 1024;

/** The part of `fetch` that is used, so that tests can answer. */
export type Fetch = (
  url: string,
  init: { readonly signal: AbortSignal; readonly headers: Record<string, string> },
) => Promise<Response>;

export interface SubstituterProberOptions {
  /** Of nix.conf, in its order. */
  readonly substituters: readonly string[];
  readonly fetch: Fetch;
  readonly clock: Clock;
}

/**
 * Nix 2.8 hangs on a cache that answers with errors, and newer ones fail builds that they could do themselves. So
 * each cache is asked for its `nix-cache-info` before a build, all at once, for at most 3 seconds; what they
 * answer holds for a minute. Substituters that are not reached over http (`file:`, `ssh:`, `s3:`) count as alive.
 */
export function createSubstituterProber({
  substituters,
  fetch,
  clock,
}: SubstituterProberOptions): Realiser["probeSubstituters"] {
  let remembered: { readonly probe: SubstituterProbe; readonly at: number } | undefined;

  return async (signal) => {
    signal.throwIfAborted();
    if (remembered !== undefined && clock.monotonic() - remembered.at < rememberedMs) return remembered.probe;
    const answers = await Promise.all(
      substituters.map(async (url) => ({ url, reason: await whyDead(url, fetch, clock, signal) })),
    );
    signal.throwIfAborted();
    const dead = answers.flatMap(({ url, reason }) =>
      reason === undefined ? [] : [{ url: withoutSecrets(url), reason }],
    );
    const alive = answers.filter(({ reason }) => reason === undefined).map(({ url }) => url);
    const probe = { use: dead.length === 0 ? undefined : alive, dead };
    remembered = { probe, at: clock.monotonic() };
    return probe;
  };
}

/** The reason why a cache cannot be used now, or undefined. Never throws. */
async function whyDead(
  substituter: string,
  fetch: Fetch,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!/^https?:\/\//i.test(substituter)) return undefined;
  const over = new AbortController();
  const asking = AbortSignal.any([signal, over.signal]);
  const deadline = clock.sleep(deadlineMs, asking).then(
    () => `no answer in ${deadlineMs / 1000} seconds`,
    () => "not asked to the end",
  );
  try {
    return await Promise.race([ask(substituter, fetch, asking), deadline]);
  } finally {
    over.abort();
  }
}

async function ask(substituter: string, fetch: Fetch, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { url, headers } = cacheInfoRequest(substituter);
    const response = await fetch(url, { signal, headers });
    if (response.status !== 200) {
      await response.body?.cancel();
      // It works for who may read it, and Nix has names and passwords of its own (netrc).
      if (response.status === 401 || response.status === 403) return undefined;
      return `it answers with HTTP status ${response.status}`;
    }
    const isCache = /^StoreDir: *\//m.test(await boundedText(response));
    return isCache ? undefined : "its nix-cache-info is none: something else answers";
  } catch (error) {
    // What `fetch` throws says only "fetch failed"; the reason is its cause, and of several addresses each has one.
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const first = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
    return messageOf(first).replaceAll(substituter, withoutSecrets(substituter));
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > maxAnswerBytes) break;
  }
  return text;
}

/** The parameters of a substituter (`?priority=30`) are for Nix, not for the server. */
function cacheInfoRequest(substituter: string): {
  readonly url: string;
  readonly headers: Record<string, string>;
} {
  const { username, password } = new URL(substituter);
  const url = new URL(withoutSecrets(substituter));
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/nix-cache-info`;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const headers = { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
  return { url: url.href, headers: credentials === ":" ? {} : headers };
}

/** Without user, password and parameters. */
function withoutSecrets(substituter: string): string {
  const url = URL.parse(substituter);
  if (url === null) return "a substituter whose URL cannot be read";
  if (url.username === "" && url.password === "" && url.search === "") return substituter;
  url.username = "";
  url.password = "";
  url.search = "";
  return url.href;
}
