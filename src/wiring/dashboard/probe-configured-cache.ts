// Whether the binary cache answers, for `status` and the dashboard.
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { messageOf } from "../../base/errors.ts";
import { probeCache } from "../../cache/cache-info.ts";
import type { Config } from "../../config/schema.ts";
import type { CacheState } from "../../fleet/fleet-status.ts";
import { openCacheClient } from "../compose-cache.ts";

/** How long to wait for the cache. */
const cacheMs = 5_000;

interface ProbeContext {
  readonly clock: Clock;
  readonly environment: Environment;
}

/** Undefined where the configuration names no cache. That it does not answer is an answer. */
export async function probeConfiguredCache(
  context: ProbeContext,
  { cache: settings }: Pick<Config, "cache">,
  signal: AbortSignal,
): Promise<CacheState | undefined> {
  const { url } = settings;
  if (url === undefined) return undefined;
  const soon = AbortSignal.any([signal, AbortSignal.timeout(cacheMs)]);
  try {
    using client = await openCacheClient(settings, url, context, soon);
    return { url, ...(await probeCache(client, context.clock, soon)) };
  } catch (error) {
    signal.throwIfAborted();
    return { url, reason: soon.aborted ? `no answer within ${cacheMs / 1000} s` : messageOf(error) };
  }
}
