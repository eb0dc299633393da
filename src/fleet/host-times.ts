// How long builds took for each host: from the build's acceptance to the verdict, of builds that built something for it.
import type { BuildState } from "../protocol/build-state.ts";
import { fullName, type FullHostName, type HostName, type RepoName } from "../protocol/names.ts";

export interface HostTimes {
  readonly repo: RepoName;
  readonly host: HostName;
  /** Builds that were counted. */
  readonly count: number;
  /** Milliseconds that half of them took at most. */
  readonly medianMs: number;
  /** The same of 95 %. */
  readonly slowMs: number;
}

/** The slowest host first. */
export function hostTimes(builds: readonly Pick<BuildState, "hosts">[]): readonly HostTimes[] {
  const found = new Map<FullHostName, { repo: RepoName; host: HostName; times: number[] }>();
  for (const { hosts } of builds) {
    for (const { repo, host, finished } of hosts.values()) {
      if (finished?.verdict !== "built") continue;
      const name = fullName({ repo, host });
      const known = found.get(name) ?? { repo, host, times: [] };
      known.times.push(finished.durationMs);
      found.set(name, known);
    }
  }
  return [...found.values()]
    .map(({ repo, host, times }) => {
      const sorted = times.toSorted((a, b) => a - b);
      const [medianMs, slowMs] = [quantile(sorted, 0.5), quantile(sorted, 0.95)];
      return { repo, host, count: times.length, medianMs, slowMs };
    })
    .toSorted((a, b) => b.medianMs - a.medianMs || fullName(a).localeCompare(fullName(b)));
}

/** @param sorted ascending */
export const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? 0;
