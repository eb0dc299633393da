// `homelab-deploy cache retain`: gives the garbage collector what nothing needs any more.
import { HomelabError } from "../../../base/errors.ts";
import type { CommitRetention } from "../../../cache/decide-retention.ts";
import { measureRoots } from "../../../cache/measure-roots.ts";
import { readClosures } from "../../../cache/read-closures.ts";
import { carryOutRetention, planRetention, type RetentionResult } from "../../../cache/retain.ts";
import type { RootedCommit } from "../../../nix/nix.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { parseRepoName, type RepoName } from "../../../protocol/names.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { openStoreRoots, sayReading, type StoreRoots } from "../../session/open-store-roots.ts";
import { formatBytes } from "../../../words/duration.ts";
import { renderRetention } from "../../print/pages/retention-table.ts";

export interface RetainOptions {
  readonly plan?: boolean | undefined;
  readonly repo?: string | undefined;
  readonly keep?: number | undefined;
  readonly absolute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export async function runRetain(context: Context, options: RetainOptions): Promise<number> {
  const signal = untilInterrupted(context.signals);
  const roots = await openStoreRoots(context, signal);
  const repos = chooseRootedRepos(roots, options.repo);
  const plan = await planRetention(policyOf(roots, options), repos, signal);
  const closures = await readClosures(roots.nix, roots.commits, sayReading(context), signal);
  const sizeOf = (commits: readonly RootedCommit[]): number => measureRoots(commits, closures).unionBytes;
  const before = sizeOf(roots.commits);
  const nothing: RetentionResult = { dropped: [], inUse: [] };
  const result = options.plan === true ? nothing : await carryOutRetention(roots, plan, signal);
  const wouldDrop = options.plan === true ? plan : result.dropped;
  const after = sizeOf(roots.commits.map((rooted) => without(rooted, wouldDrop)));

  if (options.json === true) {
    const document = {
      planned: options.plan === true,
      beforeBytes: before,
      afterBytes: after,
      commits: plan.map(retentionJson),
      inUse: result.inUse.map(({ repo, commit }) => ({ repo, commit })),
    };
    context.out.write(`${JSON.stringify(document, undefined, 2)}\n`);
    return exitCodes.success;
  }
  const { out, outStyle: style, clock } = context;
  out.write(
    renderRetention(plan, { style, width: out.columns, now: clock.now(), absolute: options.absolute }),
  );
  const freed = `${formatBytes(before - after)} of ${formatBytes(before)}`;
  out.write(
    options.plan === true
      ? `\nwould give ${freed} to the garbage collector; nothing was changed\n`
      : `\n${freed} are for the garbage collector now: nix-collect-garbage, or its timer, frees them\n`,
  );
  for (const { repo, commit } of result.inUse) {
    out.write(`${repo}@${commit.slice(0, 7)} is used by a build: it goes another time\n`);
  }
  sayUnconfigured(context, roots, options.repo);
  return exitCodes.success;
}

/** Of a repo that is not configured any more, only what is pinned stays; and only when it is named. */
function policyOf({ config, retention }: StoreRoots, { repo, keep }: RetainOptions): StoreRoots["retention"] {
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

function sayUnconfigured(context: Context, { config, commits }: StoreRoots, named: string | undefined): void {
  if (named !== undefined) return;
  for (const repo of new Set(commits.map((rooted) => rooted.repo))) {
    if (config.repos[repo] !== undefined) continue;
    context.err.write(
      `${repo} is not configured here: all of it stays until you run homelab-deploy cache retain --repo ${repo}\n`,
    );
  }
}

function without(rooted: RootedCommit, dropping: readonly CommitRetention[]): RootedCommit {
  const retention = dropping.find((each) => isSame(each.rooted, rooted));
  if (retention === undefined) return rooted;
  const hosts = [...rooted.hosts].filter(([host]) => !retention.dropped.includes(host));
  return { ...rooted, hosts: new Map(hosts) };
}

const isSame = (one: RootedCommit, other: RootedCommit): boolean =>
  one.repo === other.repo && one.commit === other.commit;

const retentionJson = ({ rooted, kept, dropped }: CommitRetention): Readonly<Record<string, unknown>> => ({
  repo: rooted.repo,
  commit: rooted.commit,
  usedAt: rooted.usedAt.toISOString(),
  wasHead: rooted.wasHead,
  ...(rooted.pin === undefined ? {} : { pin: rooted.pin }),
  kept: Object.fromEntries(kept),
  dropped,
});
