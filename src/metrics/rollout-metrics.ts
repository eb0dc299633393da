// The metrics of rollouts and of their fleet. Every series exists from the first scrape
// on; unknown values are NaN, and never 0.
import { Counter, Gauge, Registry } from "prom-client";
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { deployCodeNames } from "../protocol/deploy/deploy-codes.ts";
import type { HostName, RepoName } from "../protocol/names.ts";
import { rolloutOutcomes, type RolloutEvent } from "../protocol/rollout/rollout-events.ts";
import type { Metrics } from "./metrics.ts";
import { addProcessSeries } from "./process-series.ts";
import { rolloutStates, type RolloutState } from "./rollout-state.ts";

export interface HostMeasure {
  readonly host: HostName;
  readonly seenAt: Date;
  readonly isAbsent: boolean;
  /** Whether it runs something else than what was stated last; undefined where nothing was. */
  readonly isBehind: boolean | undefined;
}

export interface RepoMeasure {
  readonly state: RolloutState;
  readonly hosts: readonly HostMeasure[];
}

export interface FleetMeasures {
  /** Undefined while NATS does not say. */
  readonly repos: ReadonlyMap<RepoName, RepoMeasure> | undefined;
  readonly isNatsConnected: boolean;
}

export interface RolloutMetricsOptions {
  readonly repos: readonly RepoName[];
  /** The version of homelab-deploy. */
  readonly version: string;
  /** At each scrape. It answers in bounded time. */
  readonly measure: () => Promise<FleetMeasures>;
  /** How many bugs in homelab-deploy were met since the start. */
  readonly bugs: () => number;
  readonly log: Log;
}

export interface RolloutMetrics extends Pick<Metrics, "render" | "contentType"> {
  /** Each event that this deployer stored, once. */
  observe(event: RolloutEvent): void;
}

export function createRolloutMetrics({
  repos,
  version,
  measure,
  bugs,
  log,
}: RolloutMetricsOptions): RolloutMetrics {
  const registry = new Registry();
  const registers = [registry];
  addProcessSeries(registry, { component: "deployer", version });
  const ended = new Counter({
    name: "homelab_deploy_rollouts_total",
    help: "Rollouts that this deployer ended since its start.",
    labelNames: ["repo", "outcome"],
    registers,
  });
  // Hosts use another name: if both were added up, the same refusal would be counted twice.
  const rejected = new Counter({
    name: "homelab_deploy_rollout_orders_rejected_total",
    help: "Orders of rollouts that hosts refused, since the start of this deployer.",
    labelNames: ["repo", "code"],
    registers,
  });
  const internal = new Counter({
    name: "homelab_deploy_internal_errors_total",
    help: "Bugs in homelab-deploy that were met.",
    registers,
  });
  const connected = new Gauge({
    name: "homelab_deploy_deployer_nats_connected",
    help: "Whether this deployer has a connection to NATS.",
    registers,
  });
  const showRepo = createRepoSeries(registry);
  for (const repo of repos) {
    for (const outcome of rolloutOutcomes) ended.inc({ repo, outcome }, 0);
    for (const code of deployCodeNames) rejected.inc({ repo, code }, 0);
  }

  async function refresh(): Promise<void> {
    internal.reset();
    internal.inc(bugs());
    const measures = await measure().catch((error: unknown): FleetMeasures => {
      log.warn({ error: messageOf(error) }, "the fleet could not be measured");
      return { repos: undefined, isNatsConnected: false };
    });
    connected.set(Number(measures.isNatsConnected));
    showRepo.clear();
    for (const repo of repos) showRepo.show(repo, measures.repos?.get(repo));
  }

  let rendering: Promise<string> | undefined;
  return {
    contentType: registry.contentType,
    observe(event) {
      const { repo, type } = event;
      if (type === "finished") ended.inc({ repo, outcome: event.outcome });
      if (type !== "ended") return;
      for (const { outcome, code } of event.results) {
        if (outcome === "rejected" && code !== undefined) rejected.inc({ repo, code });
      }
    },
    // Simultaneous scrapes share one reading.
    render: () =>
      (rendering ??= refresh()
        .then(async () => registry.metrics())
        .finally(() => (rendering = undefined))),
  };
}

function createRepoSeries(registry: Registry) {
  const gauge = (name: string, help: string, ...labels: readonly string[]) =>
    new Gauge({
      name: `homelab_deploy_${name}`,
      help,
      labelNames: ["repo", ...labels],
      registers: [registry],
    });
  const state = gauge("rollout_state", "1 for what the rollouts of the repo are at now.", "state");
  const absent = gauge("hosts_absent", "Hosts that have reported before, but no longer do.");
  const behind = gauge("hosts_behind", "Hosts that run something else than what was built last.");
  const seen = gauge("host_seen_timestamp_seconds", "When the host last reported its state.", "host");
  const isBehind = gauge(
    "host_behind",
    "1 where the host runs something else than what was built last, stated and cached for it.",
    "host",
  );

  return {
    clear(): void {
      seen.reset();
      isBehind.reset();
    },
    show(repo: RepoName, measure: RepoMeasure | undefined): void {
      const hosts = measure?.hosts;
      const count = (isSo: (host: HostMeasure) => boolean): number =>
        hosts === undefined ? Number.NaN : hosts.filter(isSo).length;
      for (const each of rolloutStates) {
        state.set({ repo, state: each }, measure === undefined ? Number.NaN : Number(measure.state === each));
      }
      absent.set(
        { repo },
        count((host) => host.isAbsent),
      );
      behind.set(
        { repo },
        count((host) => host.isBehind === true),
      );
      for (const { host, seenAt, isBehind: is } of hosts ?? []) {
        seen.set({ repo, host }, Math.floor(seenAt.getTime() / 1000));
        if (is !== undefined) isBehind.set({ repo, host }, Number(is));
      }
    },
  };
}
