// Which systems there are to prove, deploy or keep: the newest one of each host that was built, as the event logs say.
import type { BuildState } from "../../protocol/build-state.ts";
import { fullName, type FullHostName, type RepoName, type StorePath } from "../../protocol/names.ts";
import { isSuccess } from "../../protocol/verdicts.ts";

export interface NewestSystems {
  /** The newest success of each host. */
  readonly systems: ReadonlyMap<FullHostName, StorePath>;
  /** The hosts that there are: of each repo those of the newest build of all of it, where one is known. */
  readonly hosts: readonly FullHostName[];
}

/** @param builds the newest first */
export function newestSystems(builds: readonly BuildState[]): NewestSystems {
  const systems = new Map<FullHostName, StorePath>();
  const inventories = new Map<RepoName, FullHostName[]>();
  const seen = new Map<RepoName, Set<FullHostName>>();
  for (const build of builds) {
    const own = new Map<RepoName, FullHostName[]>();
    const asLocked = new Set(
      build.sources.flatMap(({ repo, overrides }) => (overrides === undefined ? [repo] : [])),
    );
    for (const { repo, host, finished } of build.hosts.values()) {
      // With overrides it is built from inputs that no commit has.
      if (!asLocked.has(repo)) continue;
      const name = fullName({ repo, host });
      own.set(repo, [...(own.get(repo) ?? []), name]);
      seen.set(repo, (seen.get(repo) ?? new Set()).add(name));
      if (systems.has(name) || finished?.outPath === undefined || !isSuccess(finished.verdict)) continue;
      systems.set(name, finished.outPath);
    }
    if (build.complete !== true) continue;
    for (const [repo, hosts] of own) if (!inventories.has(repo)) inventories.set(repo, hosts);
  }
  const hosts = [...seen].flatMap(([repo, all]) => inventories.get(repo) ?? [...all]);
  return { systems, hosts: hosts.toSorted() };
}
