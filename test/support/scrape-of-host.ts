// What the listener of a host that never deployed anything tells Prometheus.
import { silentLog } from "../../src/base/log.ts";
import { createListenerMetrics } from "../../src/metrics/listener-metrics.ts";
import { parseHostName, parseRepoName } from "../../src/protocol/names.ts";

export const scrapeOfHost = async (): Promise<string> =>
  createListenerMetrics({
    repo: parseRepoName("nixos-servers"),
    host: parseHostName("web01"),
    version: "1.0.0",
    measure: async () => ({
      journal: {
        ended: [],
        rejected: [],
        isInProgress: false,
        phaseSeconds: new Map(),
        confirmSeconds: undefined,
        lastOrderAgeSeconds: undefined,
      },
      state: {
        path: "/nix/store/x",
        commit: undefined,
        rebootNeeded: [],
        drift: [],
        isClockOk: true,
        holds: [],
      },
      isNatsConnected: true,
    }),
    log: silentLog,
  }).render();
