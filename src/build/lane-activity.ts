// What happens inside a Nix process, given to the builds that it happens for.
import type { Nix, NixActivity } from "../nix/nix.ts";
import { fullName, type FullHostName, type StorePath } from "../protocol/names.ts";
import { derivationName } from "./derivation-name.ts";
import type { ReadyWork } from "./host-work.ts";
import type { RunningBuild } from "./running-build.ts";
import type { UsualDurations } from "./usual-durations.ts";

export interface LaneActivity {
  /** A promise when the logs cannot take more for now. */
  take(activity: NixActivity): void | Promise<void>;
  end(): void;
}

export interface LaneActivityOptions {
  readonly nix: Nix;
  readonly durations: UsualDurations;
}

/**
 * Which derivation is for which host is read from the derivations' graph beside the running process; until it is
 * known, what happens is told to all builds.
 */
export function createLaneActivity(
  { nix, durations }: LaneActivityOptions,
  works: readonly ReadyWork[],
  signal: AbortSignal,
): LaneActivity {
  const toBuild = new Map<ReadyWork, ReadonlySet<StorePath>>();
  const built = new Map<ReadyWork, number>();
  const running = new Set<StorePath>();
  void readGraphs().catch(() => undefined); // an estimate: without it there are no bars

  async function readGraphs(): Promise<void> {
    for (const work of works) {
      if (signal.aborted) return;
      toBuild.set(work, await nix.unbuilt(work.evaluation.drvPath));
      reportHost(work);
    }
  }

  function reportHost(work: ReadyWork): void {
    const total = toBuild.get(work)?.size ?? 0;
    const { repo, host } = work;
    for (const build of work.watchers) {
      build.progress.host({ repo, host, built: Math.min(built.get(work) ?? 0, total), toBuild: total });
    }
  }

  const allBuilds = (): Set<RunningBuild> => new Set(works.flatMap((work) => [...work.watchers]));
  const hostsOf = (drvPath: StorePath): ReadyWork[] =>
    works.filter((work) => toBuild.get(work)?.has(drvPath) === true);

  const buildsOf = (drvPath: StorePath): Set<RunningBuild> => {
    const builds = new Set(hostsOf(drvPath).flatMap((work) => [...work.watchers]));
    return builds.size > 0 ? builds : allBuilds();
  };

  /** The one host there is, or those that the graphs name; every host knows its own toplevel. */
  const neededBy = (drvPath: StorePath): readonly ReadyWork[] =>
    works.length === 1
      ? works
      : works.filter(
          (work) => work.evaluation.drvPath === drvPath || toBuild.get(work)?.has(drvPath) === true,
        );

  const hostsIn = (build: RunningBuild, drvPath: StorePath): FullHostName[] =>
    neededBy(drvPath)
      .filter((work) => build.sources.get(work.repo)?.commit === work.commit)
      .map(fullName)
      .filter((name) => build.open.has(name) || build.verdicts.has(name));

  function stopped(drvPath: StorePath): void {
    if (!running.delete(drvPath)) return;
    for (const work of hostsOf(drvPath)) {
      built.set(work, (built.get(work) ?? 0) + 1);
      reportHost(work);
    }
    for (const build of allBuilds()) {
      build.progress.stopped(drvPath);
      build.logs.end(drvPath);
    }
  }

  return {
    take(activity) {
      switch (activity.type) {
        case "derivation-started": {
          running.add(activity.drvPath);
          const name = derivationName(activity.drvPath);
          const usualMs = durations.of(name);
          for (const build of buildsOf(activity.drvPath)) {
            const host = hostsOf(activity.drvPath).find((work) => build.open.has(fullName(work)));
            build.progress.started(activity.drvPath, {
              name,
              ...(usualMs === undefined ? {} : { usualMs }),
              ...(host === undefined ? {} : { host: { repo: host.repo, host: host.host } }),
            });
          }
          return undefined;
        }
        case "derivation-stopped":
          stopped(activity.drvPath);
          return undefined;
        case "phase":
          for (const build of buildsOf(activity.drvPath))
            build.progress.phase(activity.drvPath, activity.phase);
          return undefined;
        case "log-line": {
          const waits: Promise<void>[] = [];
          for (const build of buildsOf(activity.drvPath)) {
            const wait = build.logs.line(activity.drvPath, activity.line, () =>
              hostsIn(build, activity.drvPath),
            );
            if (wait !== undefined) waits.push(wait);
          }
          return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined);
        }
        case "build-counts": {
          const { done, running: now, failed, expected } = activity;
          for (const build of allBuilds())
            build.progress.builds({ done, running: now, failed, total: expected });
          return undefined;
        }
        case "fetch-counts":
          for (const build of allBuilds())
            build.progress.fetches({ done: activity.done, total: activity.expected });
          return undefined;
        case "message":
          return undefined;
      }
    },
    end() {
      for (const drvPath of running) stopped(drvPath);
    },
  };
}
