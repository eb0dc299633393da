// What people have to be told about a branch. It compares what the rows of hosts say with what was told last, so that news
// that got lost in a crash are told with the next build, and nothing is told twice.
import type { BuildState } from "../../protocol/build-state.ts";
import { newsLimits, type BranchNews, type ToldFailures } from "../../protocol/branch-news.ts";
import { isOfTip } from "../../protocol/events.ts";
import type { BranchName, BuildId, Commit, HostName, RepoName } from "../../protocol/names.ts";
import { tipOf, type HostResult, type TipResult } from "../../protocol/results.ts";
import { limits } from "../../protocol/wire.ts";

/** A build that is over, as far as it is about the branch of one repo. */
export interface BranchBuild {
  readonly id: BuildId;
  readonly repo: RepoName;
  readonly branch?: BranchName;
  readonly commit: Commit;
  /** When it was accepted, or ended without that. */
  readonly at: string;
  /** All hosts of the branch; absent if only some were requested. */
  readonly inventory?: ReadonlySet<HostName>;
  /** Why its hosts could not be listed, if the flake is to blame. */
  readonly unlisted?: string;
}

export function branchBuildsOf(build: BuildState): readonly BranchBuild[] {
  const { id, sources, startedAt, finishedAt, complete, status, reason } = build;
  const at = startedAt ?? finishedAt;
  if (at === undefined) return [];
  return sources.filter(isOfTip).map(({ repo, branch, commit }) => ({
    id,
    repo,
    branch,
    commit,
    at,
    inventory: complete === true ? inventoryOf(build, repo) : undefined,
    unlisted: startedAt === undefined && status === "failed" ? (reason ?? "no reason is known") : undefined,
  }));
}

const inventoryOf = ({ hosts }: BuildState, repo: RepoName): ReadonlySet<HostName> =>
  new Set([...hosts.values()].filter((each) => each.repo === repo).map(({ host }) => host));

/** Whether it fails on its branch, and is itself to blame. Other failures neither start nor end that. */
const fails = ({ failsSince }: TipResult): boolean => failsSince !== undefined;

/**
 * For a repo of which nothing is known to have been told: what failed before this build counts as told. Otherwise
 * everything that ever failed would be news after an upgrade, or when the rows were lost.
 */
export function assumeTold(
  { repo, at }: Pick<BranchBuild, "repo" | "at">,
  rows: readonly HostResult[],
): ToldFailures {
  const failing = rows
    .filter((row) => row.repo === repo)
    .filter((row) => Date.parse(tipOf(row)?.failsSince ?? at) < Date.parse(at))
    .map(({ host }) => host);
  return { repo, failing };
}

export interface Decided {
  /** What counts as reported from now on. */
  readonly told: ToldFailures;
  /** Absent where nothing changed. */
  readonly news?: BranchNews;
}

/** @param rows as they are stored now; those that another build had the last word on are left to that one */
export function decideNews(told: ToldFailures, build: BranchBuild, rows: readonly HostResult[]): Decided {
  const { id, repo, branch, commit, at, inventory, unlisted } = build;
  const before = new Set(told.failing);
  const ours = rows.flatMap((row) => {
    const tip = tipOf(row);
    return tip !== undefined && tip.build === id && row.repo === repo ? [{ host: row.host, tip }] : [];
  });
  const starting = ours.filter(({ host, tip }) => fails(tip) && !before.has(host));
  const mended = ours.filter(({ host, tip }) => !fails(tip) && before.has(host)).map(({ host }) => host);
  const gone = (host: HostName): boolean => inventory !== undefined && !inventory.has(host);
  const staying = told.failing.filter((host) => !mended.includes(host) && !gone(host));
  const listing = decideListing(told.listed, build);
  const next = { repo, failing: [...staying, ...starting.map(({ host }) => host)].toSorted() };
  const after = { told: fitted({ ...next, listed: listing.listed }) };
  if (starting.length === 0 && mended.length === 0 && !listing.isNews) return after;
  const news: BranchNews = {
    repo,
    branch,
    build: id,
    commit,
    at,
    failing: {
      count: starting.length,
      hosts: starting
        .slice(0, newsLimits.failing)
        .map(({ host, tip: { verdict, reason } }) => ({ host, verdict, reason: shortened(reason) })),
    },
    mended: { count: mended.length, hosts: mended.slice(0, newsLimits.mended) },
    stillFailing: staying.length,
    ...(listing.isNews ? { unlisted: shortened(unlisted) ?? null } : {}),
  };
  return { ...after, news };
}

/** An older build that ends later says nothing any more. */
function decideListing(
  known: ToldFailures["listed"],
  { id, unlisted }: BranchBuild,
): { readonly listed: ToldFailures["listed"]; readonly isNews: boolean } {
  if (known !== undefined && known.build >= id) return { listed: known, isNews: false };
  const isListed = unlisted === undefined;
  return { listed: { build: id, isListed }, isNews: isListed !== (known?.isListed ?? true) };
}

const shortened = (text: string | undefined): string | undefined =>
  text?.split("\n")[0]?.slice(0, newsLimits.reason).toWellFormed();

/** As many as a row can hold. The others are told again by the next build. */
function fitted({ failing, ...told }: ToldFailures): ToldFailures {
  let bytes = 1024;
  return {
    ...told,
    failing: failing.filter((host) => (bytes += host.length + 3) <= limits.result),
  };
}
