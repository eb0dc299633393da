// The builder's metrics: served, pushed, both or neither, as the configuration says.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { BuilderOptions } from "../builder/builder.ts";
import { hasLostEvents, type BuilderBus } from "../bus/bus.ts";
import type { Config } from "../config/schema.ts";
import { createExec } from "../process/create-exec.ts";
import { foldEvents, type BuildState } from "../protocol/build-state.ts";
import { isTerminal, type BuildEvent } from "../protocol/events.ts";
import type { BuildId } from "../protocol/names.ts";
import type { ComposedBuilder } from "./compose-builder.ts";
import { followInputs, type FollowInputsOptions } from "./follow-inputs.ts";
import { lockPathOf, openRepository } from "./open-repository.ts";
import { useNetworkOf } from "./own-network.ts";
import type { Environment } from "../base/environment.ts";

export interface RunningMetrics extends AsyncDisposable {
  readonly onRemoteBuild: NonNullable<BuilderOptions["onRemoteBuild"]>;
  readonly onStored: (event: BuildEvent, state: BuildState) => void;
  readonly onOver: (id: BuildId) => void;
  readonly onDroppedLogLines: (lines: number) => void;
}

export interface StartMetricsOptions {
  readonly config: Config;
  readonly composed: ComposedBuilder;
  readonly environment: Environment;
  readonly bus: BuilderBus;
  readonly log: Log;
  readonly bugs: () => number;
  readonly clock: Clock;
}

/** How many builds from before the start are read to learn about each host. */
const restoredBuilds = 50;

export async function startMetrics({
  config,
  composed,
  environment,
  bus,
  log,
  bugs,
  clock,
}: StartMetricsOptions): Promise<RunningMetrics> {
  const { listen, pushgateway } = config.metrics;
  if (listen === undefined && pushgateway === undefined) {
    return {
      onRemoteBuild() {},
      onStored() {},
      onOver() {},
      onDroppedLogLines() {},
      async [Symbol.asyncDispose]() {},
    };
  }
  // Not before: the library of Prometheus is an eighth of all that a builder loads.
  const [{ createMetrics }, { startMetricsServer }, { pushMetrics }] = await Promise.all([
    import("../metrics/metrics.ts"),
    import("../metrics/metrics-server.ts"),
    import("../metrics/pushgateway.ts"),
  ]);
  if (pushgateway !== undefined) useNetworkOf(environment);
  const stopped = new AbortController();
  /** When each was accepted. */
  const running = new Map<BuildId, Date>();
  const branches = new Map([...composed.repos.values()].map(({ name, branch }) => [name, branch]));
  const metrics = createMetrics({
    component: "builder",
    version: composed.version,
    branches,
    machines: composed.nix.machines,
    sample: async (signal) => ({
      queued: await bus.queueLength(signal).catch(() => undefined),
      running: running.size,
      oldestStart: [...running.values()].toSorted((a, b) => a.getTime() - b.getTime())[0],
      natsConnected: bus.isConnected(),
      disk: await composed.diskSpace(),
    }),
    bugs,
    clock,
    log,
  });
  const inputs = followInputs({
    branches,
    readLock: lockReader({ config, environment, log }, stopped.signal),
    setInputs: (repo, times) => metrics.setInputs(repo, times),
    log,
  });
  async function restoreAll(): Promise<void> {
    const states: BuildState[] = [];
    await restore(
      bus,
      (state) => {
        metrics.restore(state);
        states.push(state);
      },
      stopped.signal,
    );
    // The newest first: nothing has to be read of older commits then.
    for (const state of states.toReversed()) inputs.follow(state);
  }
  const restoring = restoreAll().catch((error: unknown) => {
    if (!stopped.signal.aborted) log.warn({ err: error }, "earlier builds are missing in the metrics");
  });
  const following = followUpdates();
  async function followUpdates(): Promise<void> {
    try {
      for await (const event of bus.followUpdates(stopped.signal)) metrics.observeUpdate(event);
    } catch (error) {
      log.warn({ err: error }, "updates are missing in the metrics");
    }
  }
  const server =
    listen === undefined
      ? undefined
      : await startMetricsServer({ listen, metrics, isHealthy: () => bus.isConnected(), log });
  let pushing: Promise<unknown> = restoring;
  return {
    onRemoteBuild: (machine, news) => metrics.observeRemoteBuild(machine, news),
    onDroppedLogLines: (lines) => metrics.countDroppedLogLines(lines),
    onOver: (id) => void running.delete(id),
    onStored(event, state) {
      metrics.observe(event, state);
      if (event.type === "accepted" || event.type === "resumed") {
        running.set(event.build, new Date(state.startedAt ?? event.at));
        inputs.follow(state);
      }
      if (!isTerminal(event) || pushgateway === undefined) return;
      const { name: builder } = composed;
      pushing = pushing.then(() =>
        pushMetrics({ url: pushgateway, builder, metrics, clock, log, signal: stopped.signal }),
      );
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error("the builder stops"));
      await server?.[Symbol.asyncDispose]();
      await pushing;
      await inputs.settled();
      await following;
    },
  };
}

/** The builds of before, oldest first. */
async function restore(
  bus: BuilderBus,
  take: (state: BuildState) => void,
  signal: AbortSignal,
): Promise<void> {
  const ids = (await bus.acceptedBuilds(restoredBuilds, signal)).toReversed();
  for (const id of ids) {
    try {
      take(foldEvents(id, await bus.readEvents(id, 0, signal)));
    } catch (error) {
      // The oldest one in a full stream has often lost its beginning.
      if (!hasLostEvents(error)) throw error;
    }
  }
}

/** Through the mirrors of the builder, which have every commit that it has accepted. */
function lockReader(
  { config, environment, log }: Pick<StartMetricsOptions, "config" | "environment" | "log">,
  signal: AbortSignal,
): FollowInputsOptions["readLock"] {
  const { stateDirectory } = config.builder;
  const exec = createExec();
  return async (repo, commit) => {
    const settings = config.repos[repo];
    if (settings === undefined) return undefined;
    const repository = openRepository({ repo, settings, stateDirectory, exec, environment, log });
    return repository.readFile(commit, lockPathOf(settings), signal);
  };
}
