// What a deployer that has nothing to do tells Prometheus.
import { silentLog } from "../../src/base/log.ts";
import { createRolloutMetrics } from "../../src/metrics/rollout-metrics.ts";
import { parseHostName, parseRepoName } from "../../src/protocol/names.ts";

export async function scrapeOfDeployer(): Promise<string> {
  const repo = parseRepoName("nixos-servers");
  const host = { host: parseHostName("web01"), seenAt: new Date(0), isAbsent: false, isBehind: false };
  return createRolloutMetrics({
    repos: [repo],
    version: "1.0.0",
    measure: async () => ({
      repos: new Map([[repo, { state: "idle", hosts: [host] }]]),
      isNatsConnected: true,
    }),
    bugs: () => 0,
    log: silentLog,
  }).render();
}
