// What builds say about one host, newest first: since when it fails, and how long it takes.
import type { BuildState } from "../protocol/build-state.ts";
import { changedInputs, type LockedInput } from "../protocol/locked-inputs.ts";
import type { BuildId, Commit, HostName, RepoName, StorePath } from "../protocol/names.ts";
import type { UpdateEvent } from "../protocol/update-events.ts";
import { isOwnFault, isSuccess, type HostVerdict } from "../protocol/verdicts.ts";

export interface HostBuild {
  readonly build: BuildId;
  readonly at?: string;
  readonly commit?: Commit;
  /** Absent of a build of a commit by itself, which need not be on a branch. */
  readonly branch?: string;
  /** Absent while the build runs, or where it ended before. */
  readonly verdict?: HostVerdict;
  readonly code?: string;
  readonly reason?: string;
  readonly outPath?: StorePath;
  /** The flake's inputs at that commit, as far as the build tells. */
  readonly inputs?: readonly LockedInput[];
  /** From the build's acceptance to the verdict. */
  readonly durationMs?: number;
}

export interface Breakage {
  /** The first build of the branch in which it failed on its own, and has not succeeded since. */
  readonly first: HostBuild;
  /** The last before in which it succeeded; absent where none of the builds is old enough. */
  readonly lastGood?: HostBuild;
  /** The flake's inputs that changed in between; absent where neither the builds nor updates tell. */
  readonly inputs?: readonly string[];
}

export interface HostHistory {
  readonly repo: RepoName;
  readonly host: HostName;
  readonly builds: readonly HostBuild[];
  readonly breakage?: Breakage;
  /** Among the builds that built something for it, the medians of the newer half and of the older half. */
  readonly usual?: { readonly newerMs: number; readonly olderMs?: number; readonly count: number };
  /** As the last update that changed it measured it. */
  readonly closure?: { readonly bytes: number; readonly deltaBytes: number; readonly at: string };
}

export interface HostRecords {
  /** Newest first. */
  readonly builds: readonly BuildState[];
  /** The updates of the host's repo, oldest first. */
  readonly updates: readonly UpdateEvent[];
}

export function composeHistory(
  { repo, host }: { readonly repo: RepoName; readonly host: HostName },
  records: HostRecords,
): HostHistory {
  const builds = records.builds.flatMap((state) => hostBuildOf(state, repo, host) ?? []);
  return {
    repo,
    host,
    builds,
    breakage: findBreakage(builds, records.updates),
    usual: usualTime(builds),
    closure: closureOf(host, records.updates),
  };
}

/** With overrides it is another system than the host's. */
function hostBuildOf(state: BuildState, repo: RepoName, host: HostName): HostBuild | undefined {
  const found = state.hosts.get(`${repo}/${host}`);
  const source = state.sources.find((each) => each.repo === repo);
  if (found === undefined || source?.overrides !== undefined) return undefined;
  const { verdict, code, reason, outPath, durationMs } = found.finished ?? {};
  const { commit, branch, inputs } = source ?? {};
  const told = { verdict, code, reason, outPath, durationMs };
  return { build: state.id, at: state.startedAt, commit, branch, inputs, ...told };
}

/** Builds of the branch that was built last: builds of other branches neither break nor fix this one. */
export function findBreakage(
  builds: readonly HostBuild[],
  updates: readonly UpdateEvent[],
): Breakage | undefined {
  const branch = builds.find((build) => build.branch !== undefined)?.branch;
  const ofBranch = builds.filter((build) => branch !== undefined && build.branch === branch);
  let first: HostBuild | undefined;
  for (const build of ofBranch) {
    if (build.verdict === undefined) continue;
    if (isSuccess(build.verdict)) {
      return first === undefined
        ? undefined
        : { first, lastGood: build, inputs: inputsBetween(build, first, updates) };
    }
    if (isOwnFault(build.verdict)) first = build;
  }
  return first && { first };
}

/** Builds tell what the locks say. Those of earlier releases do not: then what our own updates landed in between. */
function inputsBetween(
  good: HostBuild,
  bad: HostBuild,
  updates: readonly UpdateEvent[],
): readonly string[] | undefined {
  if (good.inputs !== undefined && bad.inputs !== undefined) return changedInputs(good.inputs, bad.inputs);
  const between = updates.filter(
    ({ outcome, at, commit }) =>
      outcome === "landed" &&
      (commit === bad.commit ||
        (good.at !== undefined && bad.at !== undefined && at > good.at && at <= bad.at)),
  );
  return between.length === 0 ? undefined : [...new Set(between.flatMap(({ inputs }) => inputs))];
}

function usualTime(builds: readonly HostBuild[]): HostHistory["usual"] {
  const times = builds.flatMap(({ verdict, durationMs }) =>
    verdict === "built" && durationMs !== undefined ? [durationMs] : [],
  );
  if (times.length === 0) return undefined;
  const half = times.length < 4 ? times.length : Math.ceil(times.length / 2);
  return {
    newerMs: middle(times.slice(0, half)),
    olderMs: half < times.length ? middle(times.slice(half)) : undefined,
    count: times.length,
  };
}

const middle = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;

function closureOf(host: HostName, updates: readonly UpdateEvent[]): HostHistory["closure"] {
  for (const { effect, at } of updates.toReversed()) {
    const found = effect?.hosts.find((each) => each.host === host);
    if (found !== undefined) return { bytes: found.closureSize, deltaBytes: found.sizeDelta, at };
  }
  return undefined;
}
