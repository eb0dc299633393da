import type { Clock } from "../base/clock.ts";
import { causesOf, HomelabError, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { retry, type RetryPolicy } from "../base/retry.ts";
import type { BuilderName } from "../protocol/names.ts";
import { refusalOf } from "../redact/refusal-line.ts";
import type { Metrics } from "./metrics.ts";

export interface PushOptions {
  /** The URL of the pushgateway, as in the configuration. */
  readonly url: string;
  readonly builder: BuilderName;
  readonly metrics: Pick<Metrics, "render" | "contentType">;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const timeoutMs = 10_000;
const policy: RetryPolicy = { attempts: 3, firstDelayMs: 1000, factor: 3, maxDelayMs: 10_000 };

/** The gateway answered, and does not want it. */
class RefusedPushError extends Error {
  override readonly name = "RefusedPushError";
}

/**
 * Replaces this builder's metrics in a pushgateway. Metrics are never a reason to fail: what goes wrong is logged.
 *
 * @returns whether it worked.
 */
export async function pushMetrics(options: PushOptions): Promise<boolean> {
  const { url, builder, clock, log, signal } = options;
  const target = `${url.replace(/\/+$/, "")}/metrics/job/homelab-deploy/instance/${encodeURIComponent(builder)}`;
  try {
    requireNoUser(url);
    await retry({
      policy,
      clock,
      signal,
      isTransient: (error) => !(error instanceof RefusedPushError),
      attempt: () => put(target, options),
    });
    return true;
  } catch (error) {
    const reason = [messageOf(error), ...causesOf(error)].join(": ");
    const err = new HomelabError("unavailable", reason, { cause: error });
    log.warn({ url: url.replace(/(?<=:\/\/)[^/]*@/, ""), err }, "the metrics could not be pushed");
    return false;
  }
}

/** fetch refuses such a URL, and quotes it with its password. */
function requireNoUser(url: string): void {
  const parsed = URL.parse(url);
  if ((parsed?.username ?? "") === "" && (parsed?.password ?? "") === "") return;
  throw new RefusedPushError(
    "metrics.pushgateway has a user or a password in it: the builder cannot sign in",
  );
}

async function put(target: string, { metrics, clock, signal }: PushOptions): Promise<void> {
  const late = new AbortController();
  const done = new AbortController();
  clock.sleep(timeoutMs, done.signal).then(
    () => late.abort(new Error(`no answer within ${timeoutMs / 1000} s`)),
    () => undefined,
  );
  try {
    const response = await fetch(target, {
      method: "PUT",
      headers: { "content-type": metrics.contentType },
      body: await metrics.render(),
      redirect: "error",
      signal: AbortSignal.any([signal, late.signal]),
    });
    if (response.ok) {
      await response.body?.cancel();
      return;
    }
    const message = `the pushgateway answered ${await refusalOf(response, [])}`;
    const mayPass = response.status >= 500 || response.status === 429;
    throw mayPass ? new Error(message) : new RefusedPushError(message);
  } finally {
    done.abort();
  }
}
