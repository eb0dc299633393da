// What is newest of the fleet: the last build of each repo, and the hosts that are still there.
import type { BuildState } from "../protocol/build-state.ts";
import { isOfTip } from "../protocol/events.ts";
import type { RepoName } from "../protocol/names.ts";
import { tipOf, type BuildSummary, type HostResult } from "../protocol/results.ts";
import type { FleetStatus } from "./fleet-status.ts";

/**
 * The newest build of each repo that is over.
 *
 * @param builds newest first
 */
export function lastOfEach(builds: readonly BuildSummary[]): FleetStatus["last"] {
  const last = new Map<RepoName, BuildSummary>();
  for (const build of builds) {
    if (build.status === "running" || build.status === "queued") continue;
    for (const source of build.sources) {
      if (isOfTip(source) && !last.has(source.repo)) last.set(source.repo, build);
    }
  }
  return [...last]
    .map(([repo, build]) => ({ repo, build }))
    .toSorted((a, b) => a.repo.localeCompare(b.repo, "en"));
}

/** The host as it is on its branch: what was built beside it, such as an old commit, says nothing about that. */
export function onBranch(row: HostResult): readonly HostResult[] {
  const tip = tipOf(row);
  if (tip === undefined) return [];
  return [tip.build === row.build ? row : { repo: row.repo, host: row.host, ...tip, tip }];
}

/** Without hosts that a later build of all hosts did not find: they were removed, and nobody fixes them any more. */
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
        state.sources.every((source) => source.repo !== repo || !isOfTip(source)) ||
        state.hosts.has(`${repo}/${host}`),
    ),
  );
}
