// How big what we root is, and how it grows: sums over closures.
import type { RootedCommit } from "../nix/gc-roots.ts";
import { fullName, type FullHostName, type StorePath } from "../protocol/names.ts";

/** Systems that are built, with everything in them. Bytes are of the archive (NAR): on disk it can be less. */
export interface Closures {
  readonly bySystem: ReadonlyMap<StorePath, readonly StorePath[]>;
  readonly sizes: ReadonlyMap<StorePath, number>;
}

export interface HostSize {
  readonly name: FullHostName;
  readonly bytes: number;
  /** In no other host's newest system. */
  readonly uniqueBytes: number;
}

export interface CommitSize {
  readonly rooted: RootedCommit;
  /** Not used by any older commit of any repo. */
  readonly newBytes: number;
}

export interface RootsSize {
  /** Everything once. */
  readonly unionBytes: number;
  /** The newest system of every host, once. */
  readonly newestBytes: number;
  /** The newest system of each host, the biggest share first. */
  readonly hosts: readonly HostSize[];
  /** The newest first. */
  readonly commits: readonly CommitSize[];
  /** What a commit adds, in the middle of all but the oldest; undefined with fewer than two. */
  readonly usualGrowthBytes: number | undefined;
  /** By the time between the oldest and the newest; undefined when that is less than a day. */
  readonly growthBytesPerDay: number | undefined;
}

const dayMs = 24 * 3_600_000;

export function measureRoots(commits: readonly RootedCommit[], { bySystem, sizes }: Closures): RootsSize {
  const newestFirst = commits.toSorted((one, other) => other.usedAt.getTime() - one.usedAt.getTime());
  const sum = (paths: Iterable<StorePath>): number => {
    let bytes = 0;
    for (const path of paths) bytes += sizes.get(path) ?? 0;
    return bytes;
  };

  const seen = new Set<StorePath>();
  const sized = newestFirst.toReversed().map((rooted): CommitSize => {
    const fresh = new Set(
      [...rooted.hosts.values()]
        .flatMap((system) => bySystem.get(system) ?? [])
        .filter((path) => !seen.has(path)),
    );
    for (const path of fresh) seen.add(path);
    return { rooted, newBytes: sum(fresh) };
  });

  const newest = newestSystems(newestFirst, bySystem);
  const owners = new Map<StorePath, number>();
  for (const system of newest.values()) {
    for (const path of bySystem.get(system) ?? []) owners.set(path, (owners.get(path) ?? 0) + 1);
  }
  const hosts = [...newest].map(([name, system]): HostSize => {
    const paths = bySystem.get(system) ?? [];
    const unique = paths.filter((path) => owners.get(path) === 1);
    return { name, bytes: sum(paths), uniqueBytes: sum(unique) };
  });

  const later = sized.slice(1).map(({ newBytes }) => newBytes);
  const [first, last] = [newestFirst.at(-1), newestFirst[0]];
  const days = first === undefined || last === undefined ? 0 : daysBetween(first, last);
  return {
    unionBytes: sum(seen),
    newestBytes: sum(owners.keys()),
    hosts: hosts.toSorted((one, other) => other.uniqueBytes - one.uniqueBytes || other.bytes - one.bytes),
    commits: sized.toReversed(),
    usualGrowthBytes: median(later),
    growthBytesPerDay: days < 1 ? undefined : later.reduce((all, bytes) => all + bytes, 0) / days,
  };
}

/** Each host at its newest commit that was the branch's tip, or else at its newest one; only what is built. */
function newestSystems(
  newestFirst: readonly RootedCommit[],
  bySystem: Closures["bySystem"],
): ReadonlyMap<FullHostName, StorePath> {
  const newest = new Map<FullHostName, StorePath>();
  const inOrder = [
    ...newestFirst.filter(({ wasHead }) => wasHead),
    ...newestFirst.filter(({ wasHead }) => !wasHead),
  ];
  for (const { repo, hosts } of inOrder) {
    for (const [host, system] of hosts) {
      const name = fullName({ repo, host });
      if (!newest.has(name) && bySystem.has(system)) newest.set(name, system);
    }
  }
  return newest;
}

const daysBetween = (first: RootedCommit, last: RootedCommit): number =>
  (last.usedAt.getTime() - first.usedAt.getTime()) / dayMs;

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}
