// Gives the garbage collector what nothing needs any more, or says what that would be.
import { HomelabError } from "../../base/errors.ts";
import type { CommitRetention } from "../../cache/decide-retention.ts";
import { measureRoots } from "../../cache/measure-roots.ts";
import { readClosures } from "../../cache/read-closures.ts";
import { carryOutRetention, planRetention, type RetentionResult } from "../../cache/retain.ts";
import type { RootedCommit } from "../../nix/gc-roots.ts";
import { parseRepoName, type RepoName } from "../../protocol/names.ts";
import type { Context } from "../context.ts";
import type { Retained } from "../print/pages/retention-table.ts";
import { openStoreRoots, sayReading, type StoreRoots } from "./open-store-roots.ts";

export interface RetainSpecification {
  /** Changes nothing. */
  readonly plan: boolean;
  readonly repo: string | undefined;
  readonly keep: number | undefined;
}

/** @throws HomelabError `usage` `UNKNOWN_REPO` */
export async function retainRoots(
  context: Context,
  specification: RetainSpecification,
  signal: AbortSignal,
): Promise<Retained> {
  const roots = await openStoreRoots(context, signal);
  const repos = chooseRootedRepos(roots, specification.repo);
  const commits = await planRetention(policyOf(roots, specification), repos, signal);
  const closures = await readClosures(roots.nix, roots.commits, sayReading(context), signal);
  const bytesOf = (rooted: readonly RootedCommit[]): number => measureRoots(rooted, closures).unionBytes;
  const beforeBytes = bytesOf(roots.commits);
  const nothing: RetentionResult = { dropped: [], inUse: [] };
  const { dropped, inUse } = specification.plan ? nothing : await carryOutRetention(roots, commits, signal);
  const going = specification.plan ? commits : dropped;
  return {
    planned: specification.plan,
    beforeBytes,
    afterBytes: bytesOf(roots.commits.map((rooted) => without(rooted, going))),
    commits,
    inUse,
    unconfigured: specification.repo === undefined ? unconfiguredRepos(roots) : [],
  };
}

const unconfiguredRepos = ({ config, commits }: StoreRoots): readonly RepoName[] =>
  [...new Set(commits.map(({ repo }) => repo))].filter((repo) => config.repos[repo] === undefined);

/** A repo that is no longer configured keeps only what is pinned, and only if it is named. */
function policyOf(
  { config, retention }: StoreRoots,
  { repo, keep }: RetainSpecification,
): StoreRoots["retention"] {
  if (repo !== undefined && config.repos[parseRepoName(repo)] === undefined)
    return { ...retention, keepNewest: 0 };
  return { ...retention, keepNewest: keep ?? retention.keepNewest };
}

function chooseRootedRepos({ config, commits }: StoreRoots, named: string | undefined): readonly RepoName[] {
  const rooted = [...new Set(commits.map(({ repo }) => repo))].toSorted();
  if (named === undefined) return rooted.filter((repo) => config.repos[repo] !== undefined);
  const repo = parseRepoName(named);
  if (rooted.includes(repo)) return [repo];
  throw new HomelabError("usage", `nothing of a repo ${repo} is rooted here`, {
    code: "UNKNOWN_REPO",
    hint: `there is ${rooted.join(", ")}`,
  });
}

function without(rooted: RootedCommit, dropping: readonly CommitRetention[]): RootedCommit {
  const retention = dropping.find((each) => isSame(each.rooted, rooted));
  if (retention === undefined) return rooted;
  const hosts = [...rooted.hosts].filter(([host]) => !retention.dropped.includes(host));
  return { ...rooted, hosts: new Map(hosts) };
}

const isSame = (one: RootedCommit, other: RootedCommit): boolean =>
  one.repo === other.repo && one.commit === other.commit;
