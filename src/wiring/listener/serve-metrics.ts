// Serves the metrics of the host.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { JournalWatch } from "../../deploy/listener/journal-watch.ts";
import { createListenerMetrics } from "../../metrics/listener-metrics.ts";
import type { HostPolicy } from "../../protocol/deploy/host-policy.ts";
import { keepServingMetrics } from "../keep-serving-metrics.ts";
import { measureHost } from "./measure-host.ts";
import type { RecentState } from "./recent-state.ts";

export interface ServeMetricsOptions {
  /** `address:port` */
  readonly listen: string;
  readonly identity: Pick<HostPolicy, "repo" | "host">;
  /** The version of homelab-deploy. */
  readonly version: string;
  readonly journal: Pick<JournalWatch, "view">;
  readonly recentState: RecentState["recent"];
  readonly isNatsConnected: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Until the signal aborts. */
export async function serveMetrics(options: ServeMetricsOptions, signal: AbortSignal): Promise<void> {
  const { listen, identity, version, journal, recentState, isNatsConnected, clock, log } = options;
  const metrics = createListenerMetrics({
    ...identity,
    version,
    measure: async () =>
      measureHost({
        state: await recentState(signal),
        journal: journal.view(),
        isNatsConnected: isNatsConnected(),
        now: clock.now(),
      }),
    log,
  });
  await keepServingMetrics({ listen, metrics, isHealthy: isNatsConnected, clock, log }, signal);
}
