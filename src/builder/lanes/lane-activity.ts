// What happens inside a Nix process, given to the builds that it happens for.
import type { NixActivity } from "../../nix/realiser.ts";
import type { Store } from "../../nix/store.ts";
import { fullName, type FullHostName, type StorePath } from "../../protocol/names.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import type { HostNeeds, NeedsOfHosts } from "./host-needs.ts";
import type { ReadyWork, RunningBuild } from "../work.ts";
import type { UsualDurations } from "./usual-durations.ts";

export interface LaneActivity {
  /** A promise when the logs cannot take more for now. */
  take(activity: NixActivity): void | Promise<void>;
  end(): void;
}

interface RunningDerivation {
  /** The remote builder; undefined for this machine. */
  readonly machine: string | undefined;
  /** Those that are known to need it. */
  readonly hosts: Set<ReadyWork>;
}

export interface LaneActivityOptions {
  readonly nix: Store;
  readonly durations: UsualDurations;
  readonly needs: NeedsOfHosts;
}

/**
 * Which derivation is for which host is read from the derivations' graph beside the running process; until it is
 * known, what happens is told to all builds.
 */
export function createLaneActivity(
  { nix, durations, needs }: LaneActivityOptions,
  works: readonly ReadyWork[],
  signal: AbortSignal,
): LaneActivity {
  const own = new Map(
    works.map((work): [ReadyWork, HostNeeds] => [
      work,
      { derivations: undefined, built: 0, running: new Set() },
    ]),
  );
  for (const [work, needed] of own) needs.set(work, needed);
  const running = new Map<StorePath, RunningDerivation>();
  /** What Nix said that it builds here, and did not end yet. */
  const planned = new Set<StorePath>();
  /** For a build that joins later, only what is left counts. */
  const told = new Map(works.map((work): [ReadyWork, Set<RunningBuild>] => [work, new Set()]));
  const process = {};
  let isFetching = false;
  /** Anything was built: between two derivations nothing is, for a moment. */
  let hasBegun = false;
  /** Hosts that were last said to wait for a slot. */
  const waiting = new Set<ReadyWork>();
  let isPlanTold = false;
  void readGraphs().catch(() => undefined); // an estimate: without it there are no bars

  async function readGraphs(): Promise<void> {
    for (const [work, needed] of own) {
      if (signal.aborted) return;
      needed.derivations = await nix.unbuilt(work.evaluation.drvPath);
      for (const [drvPath, { hosts }] of running) {
        if (!needed.derivations.has(drvPath)) continue;
        needed.running.add(drvPath);
        hosts.add(work);
      }
      reportHost(work);
      tellPlan([work]);
    }
  }

  function reportHost(work: ReadyWork): void {
    const { derivations, built = 0 } = needs.get(work) ?? {};
    const total = derivations?.size ?? 0;
    const { repo, host } = work;
    const waitsForSlot = isWaiting(work);
    if (waitsForSlot) waiting.add(work);
    else waiting.delete(work);
    for (const build of work.watchers) {
      build.progress.host({
        repo,
        host,
        built: Math.min(built, total),
        toBuild: total,
        waitsForSlot: waitsForSlot ? true : undefined,
      });
    }
  }

  /** Nix builds whatever it can: of a host that is neither built nor fetched while others are, something has no slot. */
  function isWaiting(work: ReadyWork): boolean {
    const needed = own.get(work);
    if (needed?.derivations === undefined || isFetching || !hasBegun) return false;
    return needed.running.size === 0 && needed.built < needed.derivations.size;
  }

  /** Hosts of other processes need it as well, where there are any. */
  function tellOthers(drvPath: StorePath): void {
    if (needs.size <= own.size) return;
    for (const [work, { derivations, running: theirs }] of needs) {
      if (!own.has(work) && derivations?.has(drvPath) === true) theirs.add(drvPath);
    }
  }

  function reportWaiting(some: Iterable<ReadyWork> = works): void {
    for (const work of some) if (waiting.has(work) !== isWaiting(work)) reportHost(work);
  }

  /** Once for each build of a host; the plan comes at once, before anything is built. */
  function tellPlan(some: readonly ReadyWork[]): void {
    if (planned.size === 0) return;
    for (const work of some) {
      const needed = own.get(work)?.derivations;
      const informed = told.get(work);
      if (needed === undefined || informed === undefined) continue;
      const fresh = [...work.watchers].filter((build) => !informed.has(build));
      if (fresh.length === 0) continue;
      const toBuild = [...planned].filter((drvPath) => needed.has(drvPath));
      for (const build of fresh) {
        informed.add(build);
        build.progress.toBuild(toBuild);
      }
    }
  }

  const allBuilds = (): Set<RunningBuild> => watchersOf(works);
  const needIt = (drvPath: StorePath): ReadyWork[] =>
    works.filter((work) => own.get(work)?.derivations?.has(drvPath) === true);
  /** While it is running this is known: with a thousand hosts, asking all of them for each line would be slow. */
  const hostsOf = (drvPath: StorePath): Iterable<ReadyWork> => running.get(drvPath)?.hosts ?? needIt(drvPath);

  const buildsOf = (hosts: Iterable<ReadyWork>): Set<RunningBuild> => {
    const builds = watchersOf(hosts);
    return builds.size > 0 ? builds : allBuilds();
  };

  /**
   * The hosts of a build that need a derivation; none while that is not known for all of them. A toplevel is needed by
   * its host.
   */
  function hostsIn(build: RunningBuild, drvPath: StorePath): FullHostName[] {
    const all = [...needs].filter(([work]) => isIn(build, work));
    const top = all.filter(([work]) => work.evaluation.drvPath === drvPath);
    if (top.length > 0 || all.length === 1) return namesOf(top.length > 0 ? top : all);
    if (all.some(([, { derivations }]) => derivations === undefined)) return [];
    return namesOf(all.filter(([, { derivations }]) => derivations?.has(drvPath) === true));
  }

  /** What a substituter promised and does not give is built without having been planned. */
  function start(drvPath: StorePath, hosts: readonly ReadyWork[]): void {
    tellPlan(isPlanTold ? hosts : works);
    isPlanTold = true;
    if (planned.has(drvPath)) return;
    planned.add(drvPath);
    for (const work of hosts) for (const build of work.watchers) build.progress.toBuild([drvPath]);
  }

  function stopped(drvPath: StorePath, outcome?: "built" | "failed"): void {
    if (!running.delete(drvPath)) return;
    planned.delete(drvPath);
    const builds = allBuilds();
    const concerned: ReadyWork[] = [];
    for (const [work, needed] of needs) {
      if (needed.derivations?.has(drvPath) !== true) continue;
      needed.running.delete(drvPath);
      concerned.push(work);
      for (const build of work.watchers) builds.add(build);
      if (outcome !== "built") continue;
      needed.built++;
      reportHost(work);
    }
    reportWaiting(concerned);
    for (const build of builds) build.progress.stopped(drvPath, outcome);
    for (const build of allBuilds()) build.logs.end(drvPath);
  }

  return {
    take(activity) {
      switch (activity.type) {
        case "derivation-started": {
          const { drvPath, machine } = activity;
          const hosts = needIt(drvPath);
          running.set(drvPath, { machine, hosts: new Set(hosts) });
          for (const work of hosts) own.get(work)?.running.add(drvPath);
          tellOthers(drvPath);
          start(drvPath, hosts);
          const begins = !hasBegun;
          hasBegun = true;
          // The first that is built makes others wait; later ones only end the waiting of those that need them.
          reportWaiting(begins ? works : hosts);
          const name = derivationName(drvPath);
          const usualMs = durations.of(name);
          for (const build of buildsOf(hosts)) {
            const host = hosts.find((work) => build.open.has(fullName(work)));
            build.progress.started(drvPath, {
              name,
              usualMs,
              ...(machine === undefined ? {} : { machine }),
              host: host && { repo: host.repo, host: host.host },
            });
          }
          return undefined;
        }
        case "derivation-stopped":
          stopped(activity.drvPath, activity.failed === true ? "failed" : "built");
          return undefined;
        case "derivation-planned":
          planned.add(activity.drvPath);
          return undefined;
        case "phase":
          for (const build of buildsOf(hostsOf(activity.drvPath)))
            build.progress.phase(activity.drvPath, activity.phase);
          return undefined;
        case "log-lines": {
          const waits: Promise<void>[] = [];
          for (const build of buildsOf(hostsOf(activity.drvPath))) {
            const wait = build.logs.lines(activity.drvPath, activity.lines, {
              hosts: () => hostsIn(build, activity.drvPath),
              machine: running.get(activity.drvPath)?.machine,
            });
            if (wait !== undefined) waits.push(wait);
          }
          return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined);
        }
        case "fetch-counts":
          isFetching = activity.done < activity.expected;
          reportWaiting();
          for (const build of allBuilds())
            build.progress.fetches(process, { done: activity.done, total: activity.expected });
          return undefined;
        case "build-counts":
          // Nix begins to count when it has said what it is going to build.
          if (!isPlanTold) tellPlan(works);
          isPlanTold = true;
          return undefined;
        case "waiting":
          for (const build of allBuilds()) build.progress.waiting(activity.reason);
          return undefined;
        case "hook-started":
        case "hook-stopped":
        case "transferred":
        case "message":
          return undefined;
      }
    },
    end() {
      for (const drvPath of running.keys()) stopped(drvPath);
      for (const build of allBuilds()) build.progress.waiting(undefined);
      // Work that is ready again may be in another process by now.
      for (const [work, needed] of own) if (needs.get(work) === needed) needs.delete(work);
    },
  };
}

function watchersOf(hosts: Iterable<ReadyWork>): Set<RunningBuild> {
  const builds = new Set<RunningBuild>();
  for (const { watchers } of hosts) for (const build of watchers) builds.add(build);
  return builds;
}

const namesOf = (hosts: readonly (readonly [ReadyWork, HostNeeds])[]): FullHostName[] =>
  hosts.map(([work]) => fullName(work));

/** Also if the host already has its verdict: then it is no longer among the build's open ones. */
function isIn({ sources, open, verdicts }: RunningBuild, work: ReadyWork): boolean {
  const name = fullName(work);
  const source = sources.get(work.repo);
  const isSame = source?.commit === work.commit && source.variant === work.variant;
  return isSame && (open.has(name) || verdicts.has(name));
}
