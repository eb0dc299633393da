// Carrying out what was decided of the GC roots. The garbage collector then frees what nothing else holds.
import { HomelabError } from "../base/errors.ts";
import type { GcRoots, RootedCommit } from "../nix/gc-roots.ts";
import type { Commit, RepoName, StorePath } from "../protocol/names.ts";
import { decideRetention, type CommitRetention } from "./decide-retention.ts";

export interface RetentionOptions {
  readonly gcRoots: Pick<GcRoots, "list" | "drop">;
  readonly keepNewest: number;
  /** Tips of the branches that the repo's updates wait on. @throws HomelabError `unavailable`. */
  readonly openUpdates: (repo: RepoName, signal: AbortSignal) => Promise<ReadonlySet<Commit>>;
  /**
   * Systems that hosts of the repo run, boot, may go back to, or may be ordered to. Without it there are no hosts that are
   * deployed from here. @throws HomelabError when it is unknown.
   */
  readonly deployedSystems?: (repo: RepoName, signal: AbortSignal) => Promise<ReadonlySet<StorePath>>;
  /** It is unknown what hosts run, so what was the tip of the branch stays. */
  readonly onUnknown?: (repo: RepoName, why: HomelabError) => void;
  readonly now: () => Date;
}

/**
 * What would stay and what would go, of the repos that are given. The remote is asked for open updates, and NATS for what
 * hosts run, only where something would go without them.
 *
 * @throws HomelabError `unavailable` when a remote cannot say which updates are open: then nothing may go.
 */
export async function planRetention(
  options: RetentionOptions,
  repos: readonly RepoName[],
  signal: AbortSignal,
): Promise<readonly CommitRetention[]> {
  const { gcRoots, keepNewest, openUpdates, now } = options;
  const rooted = await gcRoots.list();
  const plan: CommitRetention[] = [];
  for (const repo of repos) {
    const commits = rooted.filter((commit) => commit.repo === repo);
    const decide = (
      open: ReadonlySet<Commit>,
      deployed: ReadonlySet<StorePath> | "unknown",
    ): readonly CommitRetention[] =>
      decideRetention(commits, { keepNewest, openUpdates: open, deployed, now: now() });
    const without = decide(new Set(), new Set());
    const goes = without.some(({ dropped }) => dropped.length > 0);
    plan.push(
      ...(goes
        ? decide(await openUpdates(repo, signal), await readDeployed(options, repo, signal))
        : without),
    );
  }
  return plan;
}

async function readDeployed(
  { deployedSystems, onUnknown }: RetentionOptions,
  repo: RepoName,
  signal: AbortSignal,
): Promise<ReadonlySet<StorePath> | "unknown"> {
  try {
    return (await deployedSystems?.(repo, signal)) ?? new Set();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HomelabError)) throw error;
    onUnknown?.(repo, error);
    return "unknown";
  }
}

export interface RetentionResult {
  readonly dropped: readonly CommitRetention[];
  /** A build uses them: they go another time. */
  readonly inUse: readonly RootedCommit[];
}

export async function carryOutRetention(
  { gcRoots }: Pick<RetentionOptions, "gcRoots">,
  plan: readonly CommitRetention[],
  signal: AbortSignal,
): Promise<RetentionResult> {
  const dropped: CommitRetention[] = [];
  const inUse: RootedCommit[] = [];
  for (const retention of plan) {
    if (retention.dropped.length === 0) continue;
    const outcome = await gcRoots.drop(retention.rooted, retention.dropped, signal);
    if (outcome === "dropped") dropped.push(retention);
    else inUse.push(retention.rooted);
  }
  return { dropped, inUse };
}
