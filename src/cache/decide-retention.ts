// Which GC roots stay, and why.
import type { RootedCommit } from "../nix/gc-roots.ts";
import type { Commit, HostName, StorePath } from "../protocol/names.ts";

/**
 * - `pinned`: somebody wants the commit kept
 * - `open-update`: it is the tip of an update's branch, which may still land
 * - `deployed`: a host runs it, boots it or may go back to it, or it may be ordered without another build
 * - `maybe-deployed`: it was the tip of the branch, so hosts may run it, and it is unknown what they run
 * - `newest`: among the newest commits that have this host
 */
export type KeepReason = "pinned" | "open-update" | "deployed" | "maybe-deployed" | "newest";

export interface RetentionPolicy {
  /** For each host, of the commits that were the branch's tip, and as many of all others. */
  readonly keepNewest: number;
  readonly openUpdates: ReadonlySet<Commit>;
  /** Systems that must not go. `unknown` when hosts cannot be asked: only what no host can run may go then. */
  readonly deployed: ReadonlySet<StorePath> | "unknown";
  readonly now: Date;
}

export interface CommitRetention {
  readonly rooted: RootedCommit;
  readonly kept: ReadonlyMap<HostName, KeepReason>;
  readonly dropped: readonly HostName[];
}

/** What no newer commit has is a host that is gone, once nobody asked for it for so long. */
const goneAfterMs = 30 * 24 * 3_600_000;

/**
 * Decides over the commits of one repo, the newest first in the result. Commits that were the branch's tip and
 * others (of other branches, of updates) are counted apart: so no number of trials displaces what hosts run.
 */
export function decideRetention(
  commits: readonly RootedCommit[],
  policy: RetentionPolicy,
): readonly CommitRetention[] {
  const seen = new Map<string, number>();
  const newestFirst = commits.toSorted((one, other) => other.usedAt.getTime() - one.usedAt.getTime());
  const rank = { head: 0, other: 0 };
  return newestFirst.map((rooted) => {
    const line = rooted.wasHead ? "head" : "other";
    const isRecent =
      rank[line]++ < policy.keepNewest || policy.now.getTime() - rooted.usedAt.getTime() < goneAfterMs;
    const kept = new Map<HostName, KeepReason>();
    const dropped: HostName[] = [];
    for (const [host, system] of rooted.hosts) {
      const before = seen.get(`${line} ${host}`) ?? 0;
      seen.set(`${line} ${host}`, before + 1);
      if (rooted.pin !== undefined) kept.set(host, "pinned");
      else if (policy.openUpdates.has(rooted.commit)) kept.set(host, "open-update");
      else if (policy.deployed !== "unknown" && policy.deployed.has(system)) kept.set(host, "deployed");
      else if (before < policy.keepNewest && isRecent) kept.set(host, "newest");
      // Hosts activate only what was built at the tip of a branch.
      else if (policy.deployed === "unknown" && rooted.wasHead) kept.set(host, "maybe-deployed");
      else dropped.push(host);
    }
    return { rooted, kept, dropped };
  });
}

/** Nothing of the commit stays. */
export const isDroppedWhole = ({ kept, dropped }: CommitRetention): boolean =>
  kept.size === 0 && dropped.length > 0;
