import { messageOf } from "../../base/errors.ts";
import { workThrough } from "../../base/work-through.ts";
import type { BuildReader } from "../../bus/bus.ts";
import { probeCache } from "../../cache/cache-info.ts";
import type { Config } from "../../config/schema.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";
import type { BuildId, RepoName } from "../../protocol/names.ts";
import { summaryOf, type BuildSummary, type HostResult } from "../../protocol/results.ts";
import { openCacheClient } from "../../wiring/compose-cache.ts";
import { readBuilds } from "../builds/find-build.ts";
import { readHosts, readSummaries } from "../builds/read-results.ts";
import type { Context } from "../context.ts";
import { isPresent, type CacheState, type FleetStatus, type RunningBuild } from "./fleet-status.ts";

/** So many builds are looked at for the last one of each repo, newest first. */
const lookedAt = 100;
/** A log has megabytes. */
const logsAtOnce = 4;
/** A cache that is slower is none to wait for. */
const cacheMs = 5_000;

export async function readStatus(
  context: Pick<Context, "clock" | "environment">,
  config: Config,
  reader: BuildReader,
  signal: AbortSignal,
): Promise<FleetStatus & { readonly ids: readonly BuildId[] }> {
  const counts = await reader.countEvents(signal);
  const ids = [...counts.keys()];
  const [builders, queue, accepted, updates, cache] = await Promise.all([
    reader.listBuilders(signal),
    reader.readQueue(signal),
    reader.acceptedBuilds(lookedAt, signal),
    reader.updates.newest(signal),
    cacheState(context, config, signal),
  ]);
  const held = builders.filter((builder) => isPresent(builder, context.clock.now()));
  const running = await readRunning(reader, held, signal);
  const summaries = await readSummaries(reader, accepted, counts, signal);
  const last = lastOfEach(summaries);
  const newest = await readBuilds(reader, [...new Set(last.map(({ build }) => build.id))], signal);
  const hosts = stillThere(await readHosts(reader, accepted, signal), newest);
  return { builders, queue, running, last, hosts, updates, cache, ids };
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

/** @param builds newest first */
function lastOfEach(builds: readonly BuildSummary[]): FleetStatus["last"] {
  const last = new Map<RepoName, BuildSummary>();
  for (const build of builds) {
    if (build.status === "running" || build.status === "queued") continue;
    for (const { repo, overrides } of build.sources) {
      if (overrides === undefined && !last.has(repo)) last.set(repo, build);
    }
  }
  return [...last]
    .map(([repo, build]) => ({ repo, build }))
    .toSorted((a, b) => a.repo.localeCompare(b.repo, "en"));
}

/** Without hosts that a later build of all hosts did not find: they were removed, and nobody mends them any more. */
export function stillThere(
  hosts: readonly HostResult[],
  newest: readonly BuildState[],
): readonly HostResult[] {
  return hosts.filter(({ repo, host, build }) =>
    newest.every(
      (state) =>
        state.complete !== true ||
        state.id <= build ||
        state.hosts.size === 0 ||
        state.sources.every((source) => source.repo !== repo || source.branch === undefined) ||
        state.hosts.has(`${repo}/${host}`),
    ),
  );
}

async function cacheState(
  context: Pick<Context, "clock" | "environment">,
  { cache: settings }: Config,
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
