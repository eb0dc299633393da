// Keeps the picture of the fleet true: rows of what is over, the fold of what is open, and statuses that are asked for.
// Live messages only say when to look. After a gap everything that may have changed is read again.
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader, FleetWatcher } from "../../bus/bus.ts";
import type { DeployReader, HostAddress } from "../../bus/deploy-bus.ts";
import type { RolloutReader } from "../../bus/rollout-bus.ts";
import type { AlertState } from "../../fleet/alert-state.ts";
import type { CacheState } from "../../fleet/fleet-status.ts";
import { readBuild, readBuilds } from "../../fleet/find-build.ts";
import { lastOfEach, stillThere } from "../../fleet/newest-results.ts";
import { readHosts, readSummaries } from "../../fleet/read-results.ts";
import { runningHosts, type RunningHost } from "../../fleet/running-hosts.ts";
import {
  applyEvent,
  isOver,
  unknownBuild,
  type BuildState,
  type HostState,
} from "../../protocol/build-state.ts";
import type { Deployment } from "../../protocol/deploy/deployment.ts";
import type { BuildEvent } from "../../protocol/events.ts";
import { fullName, type BuildId, type FullHostName } from "../../protocol/names.ts";
import {
  hostResultsOf,
  mergeHostResults,
  newerHostResult,
  summaryOf,
  type BuildSummary,
  type HostResult,
} from "../../protocol/results.ts";
import type { RolloutId } from "../../protocol/rollout/rollout-events.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";
import { emptyPicture, type FleetPicture, type OpenBuild } from "./fleet-picture.ts";
import { createHostStates, keepUnchanged, type HostFacts } from "./host-states.ts";
import { createRecentBuilds } from "./recent-builds.ts";
import { createRecentRollouts } from "./recent-rollouts.ts";

export interface FollowFleetOptions {
  readonly reader: BuildReader;
  readonly deploy: DeployReader;
  readonly rollouts: RolloutReader;
  readonly watcher: FleetWatcher;
  /** Undefined where no cache is configured. */
  readonly probeCache: (signal: AbortSignal) => Promise<CacheState | undefined>;
  /** Undefined where no Prometheus is configured. */
  readonly readAlerts: (signal: AbortSignal) => Promise<AlertState | undefined>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface FollowedFleet {
  readonly current: () => FleetPicture;
  /** Calls back after each change; the result ends that. */
  onChange(listener: () => void): () => void;
  /** @throws HomelabError `usage` when there is no such build */
  build(id: BuildId, signal: AbortSignal): Promise<BuildState>;
  /** What a host did with its orders, newest first. */
  deployments(host: HostAddress, signal: AbortSignal): Promise<readonly Deployment[]>;
  /** Undefined where nobody asked for it. */
  rollout(id: RolloutId, signal: AbortSignal): Promise<Rollout | undefined>;
}

/** Milliseconds. */
const every = {
  statuses: 4000,
  cache: 30_000,
  alerts: 30_000,
  builds: 30_000,
  hosts: 10_000,
  rollouts: 30_000,
  retry: 1000,
} as const;
/** Builds that are looked at for hosts without a row: as many as `homelab-deploy hosts` does. */
const lookedAt = 100;
const mostFollowed = 64;

/** Reads until the signal aborts, and retries what fails. */
export function followFleet(options: FollowFleetOptions, signal: AbortSignal): FollowedFleet {
  const { reader, watcher, clock, log } = options;
  const listeners = new Set<() => void>();
  const following = new Map<BuildId, Promise<void>>();
  const recent = createRecentBuilds();
  const hostStates = createHostStates(
    options,
    (facts) => change({ running: runningOf(facts), ...isTrueNow() }),
    signal,
  );
  const rollouts = createRecentRollouts(
    options,
    (newest) => change({ rollouts: newest, ...isTrueNow() }),
    signal,
  );
  let picture = emptyPicture(clock.now());

  function change(more: Partial<FleetPicture>): void {
    picture = { ...picture, ...more };
    for (const listener of listeners) listener();
  }
  /** Judged by as many builds as `homelab-deploy hosts` looks at. */
  const runningOf = (facts: HostFacts): readonly RunningHost[] =>
    keepUnchanged(
      picture.running,
      facts.states.length === 0
        ? []
        : runningHosts(
            { rows: picture.hosts, builds: picture.builds.slice(0, lookedAt), ...facts },
            clock.now(),
          ),
    );
  const isTrueNow = (): Partial<FleetPicture> =>
    watcher.isConnected() ? { isConnected: true, asOf: clock.now().toISOString() } : { isConnected: false };

  async function again(what: string, waitMs: number, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      let pause: number = waitMs;
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error, what }, "cannot read what the dashboard shows; trying again");
        pause = every.retry;
      }
      await clock.sleep(pause, signal).catch(() => undefined);
    }
  }

  /** Skips builds that are known to be complete. */
  async function readRecords(): Promise<void> {
    const counts = await reader.countEvents(signal);
    const known = new Map(picture.builds.map((build) => [build.id, build]));
    const isNews = (id: BuildId): boolean => (known.get(id)?.events ?? 0) < (counts.get(id) ?? 0);
    const ids = [...counts.keys()];
    const news = ids.filter((id) => isNews(id) && !following.has(id));
    for (const row of await readSummaries(reader, news, counts, signal)) known.set(row.id, row);
    const accepted = await reader.acceptedBuilds(lookedAt, signal);
    const found = await readHosts(reader, accepted, signal);
    const listed = ids.flatMap((id) => known.get(id) ?? []);
    const last = await readBuilds(
      reader,
      [...new Set(lastOfEach(listed.slice(0, lookedAt)).map(({ build }) => build.id))],
      signal,
    );
    // Meanwhile events went on coming.
    const builds = picture.builds
      .filter(({ id, events }) => events > (known.get(id)?.events ?? 0))
      .reduce(withBuild, listed);
    const hosts = stillThere(mergeHostResults([...picture.hosts, ...found]), last);
    change({ builds, hosts, isComplete: true, ...isTrueNow() });
    for (const { id, status } of builds) {
      if (status === "running" || status === "queued") follow(id);
    }
  }

  function follow(id: BuildId): void {
    if (following.has(id) || following.size >= mostFollowed) return;
    const done = followOne(id)
      .catch((error: unknown) => {
        if (!signal.aborted) log.warn({ err: error, build: id }, "cannot follow a build");
      })
      .finally(() => {
        following.delete(id);
        if (!picture.open.has(id)) return;
        const open = new Map(picture.open);
        open.delete(id);
        change({ open });
      });
    following.set(id, done);
  }

  async function followOne(id: BuildId): Promise<void> {
    let build: OpenBuild = { state: unknownBuild(id), hostProgress: new Map() };
    for await (const message of reader.follow(id, { progress: true }, signal)) {
      if (message.type === "progress") {
        const hostProgress = new Map(build.hostProgress);
        for (const host of message.progress.hosts) hostProgress.set(fullName(host), host);
        build = { ...build, progress: message.progress, progressAt: clock.now(), hostProgress };
        took(build);
      } else if (message.type === "event") {
        build = { ...build, state: applyEvent(build.state, message.event) };
        took(build, message.event);
      }
    }
  }

  /** @param event that made this state; none for progress */
  function took(build: OpenBuild, event?: BuildEvent): void {
    const { state } = build;
    const open = new Map(picture.open);
    if (isOver(state)) {
      open.delete(state.id);
      recent.keep(state);
    } else open.set(state.id, build);
    if (event === undefined) return change({ open, ...isTrueNow() });
    const hosts = withHostResults(picture.hosts, resultsOf(state, event));
    change({
      builds: withBuild(picture.builds, summaryOf(state)),
      open,
      hosts: isOver(state) && state.complete === true ? stillThere(hosts, [state]) : hosts,
      ...isTrueNow(),
    });
  }

  const readUpdates = async (): Promise<void> => change({ updates: await reader.updates.newest(signal) });

  watcher.watch((news) => {
    if (news.type === "build") {
      const known = picture.builds.find(({ id }) => id === news.build);
      if (known === undefined || known.status === "queued" || known.status === "running") follow(news.build);
    } else if (news.type === "update") {
      readUpdates().catch((error: unknown) => log.debug({ err: error }, "cannot read the updates"));
    } else if (news.type === "deployment") {
      hostStates.changed(news);
    } else if (news.type === "rollout") {
      rollouts.changed(news.rollout);
    } else {
      change(isTrueNow());
      if (!news.connected) return;
      hostStates.doubt();
      for (const read of [readRecords, hostStates.read, rollouts.read]) {
        read().catch((error: unknown) => log.debug({ err: error }, "not yet"));
      }
    }
  }, signal);

  void again("the builds", every.builds, readRecords);
  void again("the hosts", every.hosts, async () => hostStates.read());
  void again("the rollouts", every.rollouts, async () => rollouts.read());
  void again("the statuses", every.statuses, async () => {
    const [builders, queue, updates, streams] = await Promise.all([
      reader.listBuilders(signal),
      reader.readQueue(signal),
      reader.updates.newest(signal),
      watcher.streams(signal),
    ]);
    change({ builders, queue, updates, streams, ...isTrueNow() });
  });
  void again("the cache", every.cache, async () => change({ cache: await options.probeCache(signal) }));
  void again("the alerts", every.alerts, async () => change({ alerts: await options.readAlerts(signal) }));

  return {
    current: () => picture,
    deployments: async (host, until) => hostStates.deployments(host, until),
    rollout: async (id, until) => rollouts.find(id, until),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async build(id, until) {
      const known = picture.open.get(id)?.state ?? recent.get(id);
      if (known !== undefined && known.nextIndex > 0) return known;
      try {
        const state = await readBuild(reader, id, until);
        if (isOver(state)) recent.keep(state);
        return state;
      } catch (error) {
        const row = picture.builds.find((build) => build.id === id);
        if (row === undefined || !(error instanceof HomelabError)) throw error;
        throw new HomelabError("unavailable", `the events of build ${id} cannot be read any more`, {
          code: "EVENTS_INCOMPLETE",
          hint: "its row says how it ended; its hosts and failures are gone",
          cause: error,
        });
      }
    },
  };
}

/** What an event says about hosts; of a fleet of a thousand, mostly of a few. */
function resultsOf(state: BuildState, event: BuildEvent): readonly HostResult[] {
  if (event.type !== "hosts-finished") return [];
  const named = new Map<FullHostName, HostState>();
  for (const host of event.hosts) {
    const known = state.hosts.get(fullName(host));
    if (known !== undefined) named.set(fullName(host), known);
  }
  return hostResultsOf({ ...state, hosts: named });
}

/** The newest of each host, in the order of `mergeHostResults`. */
function withHostResults(
  hosts: readonly HostResult[],
  results: readonly HostResult[],
): readonly HostResult[] {
  if (results.length === 0) return hosts;
  const places = new Map(hosts.map((host, index) => [fullName(host), index]));
  const changed = [...hosts];
  const added: HostResult[] = [];
  for (const result of results) {
    const place = places.get(fullName(result));
    const known = place === undefined ? undefined : changed[place];
    if (place === undefined || known === undefined) added.push(result);
    else changed[place] = newerHostResult(known, result);
  }
  return added.length === 0 ? changed : mergeHostResults([...changed, ...added]);
}

/** In its place: newest first. */
function withBuild(builds: readonly BuildSummary[], build: BuildSummary): BuildSummary[] {
  const at = builds.findIndex(({ id }) => id <= build.id);
  if (at < 0) return [...builds, build];
  return builds[at]?.id === build.id ? builds.with(at, build) : builds.toSpliced(at, 0, build);
}
