// The metrics of a host that is deployed to. Every series exists from the first scrape on, so that an
// alert never waits for something to happen once.
import { Counter, Gauge, Registry } from "prom-client";
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { driftKinds } from "../protocol/deploy/host-state.ts";
import { rebootParts } from "../protocol/deploy/deploy-events.ts";
import type { HostName, RepoName } from "../protocol/names.ts";
import {
  deploymentPhases,
  holdCauses,
  noEndedDeployments,
  noRejected,
  type HostMeasures,
  type JournalMeasures,
  type StateMeasures,
} from "./host-measures.ts";
import type { Metrics } from "./metrics.ts";
import { addProcessSeries } from "./process-series.ts";

export interface ListenerMetricsOptions {
  readonly repo: RepoName;
  readonly host: HostName;
  /** The version of homelab-deploy. */
  readonly version: string;
  /** Called at each scrape. It answers in bounded time, and leaves out what it does not know. */
  readonly measure: () => Promise<HostMeasures>;
  readonly log: Log;
}

export function createListenerMetrics({
  repo,
  host,
  version,
  measure,
  log,
}: ListenerMetricsOptions): Pick<Metrics, "render" | "contentType"> {
  const registry = new Registry();
  // Hosts are named as the builder names them, so that both can be joined.
  registry.setDefaultLabels({ repo, host });
  addProcessSeries(registry, { component: "listener", version });
  const showJournal = createJournalSeries(registry);
  const showState = createStateSeries(registry);
  const connected = new Gauge({
    name: "homelab_deploy_host_nats_connected",
    help: "Whether the listener of the host has a connection to NATS.",
    registers: [registry],
  });

  async function refresh(): Promise<void> {
    const { journal, state, isNatsConnected } = await measure();
    showJournal(journal);
    showState(state);
    connected.set(Number(isNatsConnected));
  }

  let rendering: Promise<string> | undefined;
  return {
    contentType: registry.contentType,
    // Simultaneous scrapes share one reading.
    render: () =>
      (rendering ??= refresh()
        .catch((error: unknown) => {
          log.warn({ error: messageOf(error) }, "this host could not be measured");
          showJournal(undefined);
          showState(undefined);
        })
        .then(async () => registry.metrics())
        .finally(() => (rendering = undefined))),
  };
}

function createJournalSeries(registry: Registry): (journal: JournalMeasures | undefined) => void {
  const registers = [registry];
  const deployments = new Counter({
    name: "homelab_deploy_deployments_total",
    help: "Deployments of this host that ended, since its first journal.",
    labelNames: ["action", "outcome", "code"],
    registers,
  });
  const rejected = new Counter({
    name: "homelab_deploy_orders_rejected_total",
    help: "Orders that this host refused before it took them, since its first journal.",
    labelNames: ["code"],
    registers,
  });
  const inProgress = new Gauge({
    name: "homelab_deploy_deployment_in_progress",
    help: "Whether a deployment has begun and not ended, also one that waits for a boot.",
    registers,
  });
  const duration = new Gauge({
    name: "homelab_deploy_deployment_duration_seconds",
    help: "How long the newest deployment has been in each phase; 0 for a phase that it did not reach.",
    labelNames: ["phase"],
    registers,
  });
  const confirm = new Gauge({
    name: "homelab_deploy_host_confirm_seconds",
    help: "How long the newest confirmation over NATS took; NaN when none is known.",
    registers,
  });
  const orderAge = new Gauge({
    name: "homelab_deploy_host_last_order_age_seconds",
    help: "Time since the newest order that this host took was signed; NaN before the first one.",
    registers,
  });

  return (journal) => {
    deployments.reset();
    rejected.reset();
    inProgress.set(journal === undefined ? Number.NaN : Number(journal.isInProgress));
    confirm.set(journal?.confirmSeconds ?? Number.NaN);
    orderAge.set(journal?.lastOrderAgeSeconds ?? Number.NaN);
    for (const phase of deploymentPhases) {
      duration.set({ phase }, journal === undefined ? Number.NaN : (journal.phaseSeconds.get(phase) ?? 0));
    }
    // No 0 for what is not known: when the journal is back, everything in it would look new.
    if (journal === undefined) return;
    for (const { action, outcome, code = "", count } of [...noEndedDeployments, ...journal.ended]) {
      deployments.inc({ action, outcome, code }, count);
    }
    for (const { code, count } of [...noRejected, ...journal.rejected]) rejected.inc({ code }, count);
  };
}

function createStateSeries(registry: Registry): (state: StateMeasures | undefined) => void {
  const registers = [registry];
  const running = new Gauge({
    name: "homelab_deploy_host_running_info",
    help: "The system that runs, and the commit that it was built from where an order named it, as labels; always 1.",
    labelNames: ["commit", "path"],
    registers,
  });
  const reboot = new Gauge({
    name: "homelab_deploy_host_reboot_required",
    help: "Whether the part of the permanent system differs from the booted one, so that only a boot takes it over.",
    labelNames: ["part"],
    registers,
  });
  const drift = new Gauge({
    name: "homelab_deploy_host_drift",
    help: "Whether the host is not as it was deployed, by what differs.",
    labelNames: ["kind"],
    registers,
  });
  const clock = new Gauge({
    name: "homelab_deploy_host_clock_ok",
    help: "0 while the clock is before what the host knows to be past: it takes no order then.",
    registers,
  });
  const hold = new Gauge({
    name: "homelab_deploy_host_hold",
    help: "Whether the host itself refuses orders, by the cause.",
    labelNames: ["cause"],
    registers,
  });

  return (state) => {
    const shown = (isSo: (known: StateMeasures) => boolean): number =>
      state === undefined ? Number.NaN : Number(isSo(state));
    running.reset();
    if (state !== undefined) running.set({ commit: state.commit ?? "", path: state.path ?? "" }, 1);
    for (const part of rebootParts) {
      reboot.set(
        { part },
        shown(({ rebootNeeded }) => rebootNeeded.includes(part)),
      );
    }
    for (const kind of driftKinds) {
      drift.set(
        { kind },
        shown((known) => known.drift.includes(kind)),
      );
    }
    for (const cause of holdCauses) {
      hold.set(
        { cause },
        shown(({ holds }) => holds.includes(cause)),
      );
    }
    clock.set(shown(({ isClockOk }) => isClockOk));
  };
}
