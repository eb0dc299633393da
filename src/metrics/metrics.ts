// The metrics of a builder. Base units, times and not ages, no ids in labels; every series
// exists from the first scrape on, so that an alert never waits for something to happen once.
import { Counter, Gauge, Registry } from "prom-client";
import type { Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { BranchName, RepoName } from "../protocol/names.ts";
import { createBuildSeries, type BuildSeries } from "./build-series.ts";
import { createInputSeries, type InputSeries } from "./input-series.ts";
import { addProcessSeries } from "./process-series.ts";
import { createRemoteBuilderSeries, type RemoteBuilderSeries } from "./remote-builder-series.ts";
import { createUpdateSeries, type UpdateSeries } from "./update-series.ts";

/** Values that are read at each scrape. */
export interface Sample {
  /** Requests that wait in the queue; undefined when NATS does not say. */
  readonly queued: number | undefined;
  /** Builds that this builder holds. */
  readonly running: number;
  /** When the oldest of them was accepted; undefined without one. */
  readonly oldestStart: Date | undefined;
  readonly natsConnected: boolean;
  /** The file system with the Nix store. */
  readonly disk: { readonly availableBytes: number; readonly totalBytes: number } | undefined;
}

export interface MetricsOptions {
  readonly component: "builder";
  /** The version of homelab-deploy. */
  readonly version: string;
  /** The configured branch of each repo. */
  readonly branches: ReadonlyMap<RepoName, BranchName>;
  /** The remote builders of nix.conf: `ssh://arm1`. */
  readonly machines: readonly string[];
  /** When it throws, or gives nothing within two seconds, what it would have said is NaN. */
  readonly sample: (signal: AbortSignal) => Promise<Sample>;
  /** How many bugs in homelab-deploy were met since the start. */
  readonly bugs: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Metrics extends BuildSeries, InputSeries, RemoteBuilderSeries, UpdateSeries {
  countDroppedLogLines(lines: number): void;
  /** The text of a scrape, and its media type. */
  readonly contentType: string;
  render(): Promise<string>;
}

const sampleTimeoutMs = 2000;

export function createMetrics({
  component,
  version,
  branches,
  machines,
  sample,
  bugs,
  clock,
  log,
}: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `homelab_deploy_${name}`, help, registers });

  addProcessSeries(registry, { component, version });
  const series = createBuildSeries(registry, branches);
  const inputs = createInputSeries(registry);
  const remoteBuilders = createRemoteBuilderSeries(registry, machines, clock);
  const updates = createUpdateSeries(registry, new Set(branches.keys()));
  const queued = gauge(
    "builds_queued",
    "Build requests that wait for a builder; NaN if NATS does not report it.",
  );
  const running = gauge("builds_running", "Builds that this builder holds.");
  const oldest = gauge(
    "oldest_build_start_timestamp_seconds",
    "When the oldest build was accepted that this builder holds; NaN without one.",
  );
  const connected = gauge("nats_connected", "Whether there is a connection to NATS.");
  const available = gauge("store_filesystem_avail_bytes", "What is free for the Nix store.");
  const size = gauge("store_filesystem_size_bytes", "The size of the file system with the Nix store.");
  const dropped = new Counter({
    name: "homelab_deploy_log_lines_dropped_total",
    help: "Lines of build logs that were not stored.",
    registers,
  });
  const internalErrors = new Counter({
    name: "homelab_deploy_internal_errors_total",
    help: "Bugs in homelab-deploy that the builder met; its log has their stacks.",
    registers,
    collect() {
      internalErrors.reset();
      internalErrors.inc(bugs());
    },
  });

  async function takeSample(): Promise<void> {
    const over = new AbortController();
    const late = clock.sleep(sampleTimeoutMs, over.signal).then(() => {
      throw new HomelabError("unavailable", `no answer within ${sampleTimeoutMs} ms`);
    });
    const taken = await Promise.race([sample(over.signal), late]).catch((error: unknown) => {
      log.warn({ err: error }, "a metrics sample failed");
      return undefined;
    });
    over.abort();
    queued.set(taken?.queued ?? Number.NaN);
    running.set(taken?.running ?? Number.NaN);
    oldest.set(taken?.oldestStart === undefined ? Number.NaN : taken.oldestStart.getTime() / 1000);
    connected.set(taken?.natsConnected === true ? 1 : 0);
    available.set(taken?.disk?.availableBytes ?? Number.NaN);
    size.set(taken?.disk?.totalBytes ?? Number.NaN);
  }

  let rendering: Promise<string> | undefined;

  return {
    ...series,
    ...inputs,
    ...remoteBuilders,
    ...updates,
    countDroppedLogLines: (lines) => dropped.inc(lines),
    contentType: registry.contentType,
    // Simultaneous scrapes share one reading.
    render: () =>
      (rendering ??= takeSample()
        .then(() => registry.metrics())
        .finally(() => (rendering = undefined))),
  };
}
