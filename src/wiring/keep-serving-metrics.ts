// Metrics are never a reason for a daemon to stop, or not to start.
import { once } from "node:events";
import type { Clock } from "../base/clock.ts";
import { startMetricsServer, type MetricsServerOptions } from "../metrics/metrics-server.ts";

const againMs = 10_000;

/** Until the signal aborts. An address that cannot be used is retried: its interface may come up later. */
export async function keepServingMetrics(
  options: MetricsServerOptions & { readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = options;
  let hasComplained = false;
  while (!signal.aborted) {
    try {
      await using _server = await startMetricsServer(options);
      if (!signal.aborted) await once(signal, "abort");
    } catch (error) {
      if (!hasComplained) log.error({ err: error }, "the metrics are not served");
      hasComplained = true;
      await clock.sleep(againMs, signal).catch(() => undefined);
    }
  }
}
