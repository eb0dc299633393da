import { workThrough } from "../../base/work-through.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { Config } from "../../config/schema.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";
import type { BuildId } from "../../protocol/names.ts";
import { summaryOf } from "../../protocol/results.ts";
import { probeConfiguredCache } from "../../wiring/dashboard/probe-configured-cache.ts";
import { readBuilds } from "../../fleet/find-build.ts";
import { lastOfEach, onBranch, stillThere } from "../../fleet/newest-results.ts";
import { readRunning as readWhatRuns, type RunningReaders } from "../../fleet/read-running.ts";
import { readHosts, readSummaries } from "../../fleet/read-results.ts";
import type { RolloutReader } from "../../bus/rollout-bus.ts";
import type { Context } from "../context.ts";
import { readOpenRollouts } from "../rollouts/find-rollout.ts";
import { isPresent, type FleetStatus, type RunningBuild } from "../../fleet/fleet-status.ts";

/** How many builds are searched for the last one of each repo, newest first. */
const lookedAt = 100;
/** A log has megabytes. */
const logsAtOnce = 4;

export async function readStatus(
  context: Pick<Context, "clock" | "environment">,
  config: Config,
  { reader, bus, rollouts: rolloutReader }: RunningReaders & { readonly rollouts: RolloutReader },
  signal: AbortSignal,
): Promise<FleetStatus & { readonly ids: readonly BuildId[] }> {
  const counts = await reader.countEvents(signal);
  const ids = [...counts.keys()];
  const [builders, queue, accepted, updates, rollouts, cache] = await Promise.all([
    reader.listBuilders(signal),
    reader.readQueue(signal),
    reader.acceptedBuilds(lookedAt, signal),
    reader.updates.newest(signal),
    readOpenRollouts(rolloutReader, signal),
    probeConfiguredCache(context, config, signal),
  ]);
  const held = builders.filter((builder) => isPresent(builder, context.clock.now()));
  const running = await readRunning(reader, held, signal);
  // A build whose hosts could not be listed was never accepted, and has one event.
  const unaccepted = ids.filter((id) => counts.get(id) === 1 && !accepted.includes(id)).slice(0, lookedAt);
  const looked = [...accepted, ...unaccepted].toSorted().toReversed();
  const summaries = await readSummaries(reader, looked, counts, signal);
  const last = lastOfEach(summaries);
  const newest = await readBuilds(reader, [...new Set(last.map(({ build }) => build.id))], signal);
  const rows = stillThere(await readHosts(reader, accepted, signal), newest);
  const deployed = await readWhatRuns({ reader, bus }, rows, accepted, context.clock.now(), signal);
  return {
    builders,
    queue,
    running,
    last,
    hosts: rows.flatMap(onBranch),
    deployed,
    rollouts,
    updates,
    cache,
    ids,
  };
}

async function readRunning(
  reader: BuildReader,
  builders: readonly BuilderStatus[],
  signal: AbortSignal,
): Promise<readonly RunningBuild[]> {
  const found: RunningBuild[] = [];
  const ids = [...new Set(builders.flatMap(({ builds }) => builds))].toSorted();
  await workThrough(ids, logsAtOnce, async (id) => {
    for (const state of await readBuilds(reader, [id], signal)) {
      // It may be over by now.
      if (state.status !== "running") continue;
      const done = [...state.hosts.values()].filter(({ finished }) => finished !== undefined).length;
      found.push({ build: summaryOf(state), done });
    }
  });
  return found.toSorted((a, b) => (a.build.id < b.build.id ? 1 : -1));
}
