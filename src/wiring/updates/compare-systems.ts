// How the hosts' systems differ between two commits: from the builds of both, and from closures, as far as these are in
// this machine's store.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import { diffClosures, type ClosureDiff } from "../../nix/store/closure-diff.ts";
import type { Store } from "../../nix/store.ts";
import type { HostState } from "../../protocol/build-state.ts";
import type { Commit, HostName, RepoName, StorePath } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { isSuccess } from "../../protocol/verdicts.ts";
import { recordedHosts } from "../../update/judge/base-records.ts";
import { buildWithin } from "../../update/judge/build-within.ts";
import type { SystemComparison, UnknownSystems } from "../../update/landed/system-comparison.ts";

export interface CompareOptions {
  readonly repo: RepoName;
  readonly builds: BuildReader;
  readonly nix: Pick<Store, "validPaths" | "readClosure">;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  /** How long to wait for a build that nobody has requested yet. */
  readonly buildMs: number;
}

export interface ComparedCommits {
  readonly base: Commit;
  readonly commit: Commit;
  /** What the build of the commit came to, where that is known already. */
  readonly hosts?: Iterable<HostState>;
}

/** Reading a closure takes a second or so; the first hosts say most. */
const mostHosts = 50;

/** A difference that cannot be determined is not a reason to fail: it throws only when it is aborted. */
export async function compareSystems(
  options: CompareOptions,
  { base, commit, hosts }: ComparedCommits,
  signal: AbortSignal,
): Promise<SystemComparison> {
  const built = [...(hosts ?? (await builtAt(options, commit, undefined, signal)))].filter(
    (host) => builtPath(host) !== undefined,
  );
  const before = await systemsBefore(options, base, built, signal);
  const systems = built.map((host) => ({
    host: host.host,
    old: before.get(host.host),
    young: builtPath(host),
  }));
  const unchanged = systems.filter(({ old, young }) => old === young).map(({ host }) => host);
  const pairs = systems.flatMap(({ host, old, young }) =>
    old === undefined || young === undefined || old === young ? [] : [{ host, old, young }],
  );
  const { diffs, unknown } = await compareClosures(options, pairs, signal);
  const without = systems.filter(({ old }) => old === undefined).map(({ host }) => host);
  return {
    diffs,
    unchanged,
    unknown: [...because("the system of before is not built", without), ...unknown],
  };
}

/** The systems by host. Recorded ones need no build; the rest is built, or rather found built, within the time. */
async function systemsBefore(
  options: CompareOptions,
  base: Commit,
  built: readonly HostState[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, StorePath>> {
  const names = built.map(({ host }) => host);
  const at = { repo: options.repo, commit: base, variant: undefined };
  const recorded = await recordedHosts(options, at, names, signal);
  const missing = names.filter((name) => !recorded.has(name));
  const found = missing.length === 0 ? [] : await builtAt(options, base, missing, signal);
  return new Map(
    [...recorded.values(), ...found].flatMap((host) => {
      const path = builtPath(host);
      return path === undefined ? [] : [[host.host, path] as const];
    }),
  );
}

/** None if they are not available within the time. */
async function builtAt(
  { builds, repo, clock, log, buildMs }: CompareOptions,
  commit: Commit,
  hosts: readonly HostName[] | undefined,
  signal: AbortSignal,
): Promise<readonly HostState[]> {
  try {
    const id = newBuildId(clock.now());
    const specification = { id, repo, commit, hosts, requestedBy: "update: what does it change?" };
    const state = await buildWithin({ builds, log, milliseconds: buildMs }, specification, signal);
    return [...state.hosts.values()];
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ commit, err: error }, "a commit could not be built to compare the systems");
    return [];
  }
}

interface Pair {
  readonly host: string;
  readonly old: StorePath;
  readonly young: StorePath;
}

async function compareClosures(
  { nix, log }: CompareOptions,
  pairs: readonly Pair[],
  signal: AbortSignal,
): Promise<Pick<SystemComparison, "diffs" | "unknown">> {
  const diffs = new Map<string, ClosureDiff>();
  const elsewhere: string[] = [];
  const compared = pairs.slice(0, mostHosts);
  const tooMany = because(
    `only ${mostHosts} hosts are compared`,
    pairs.slice(mostHosts).map(({ host }) => host),
  );
  try {
    const paths = new Set(compared.flatMap(({ old, young }) => [old, young]));
    const valid = paths.size === 0 ? paths : await nix.validPaths([...paths], signal);
    for (const { host, old, young } of compared) {
      if (!valid.has(old) || !valid.has(young)) elsewhere.push(host);
      else {
        const [was, is] = [await nix.readClosure(old, signal), await nix.readClosure(young, signal)];
        diffs.set(host, diffClosures(was, is));
      }
    }
    return {
      diffs,
      unknown: [...because("the systems are not in this machine's store", elsewhere), ...tooMany],
    };
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error }, "what the update changes in the systems could not be read from this store");
    const unread = compared.map(({ host }) => host).filter((host) => !diffs.has(host));
    return { diffs, unknown: [...because("this machine's store could not be read", unread), ...tooMany] };
  }
}

const because = (reason: string, hosts: readonly string[]): readonly UnknownSystems[] =>
  hosts.length === 0 ? [] : [{ reason, hosts }];

const builtPath = ({ finished, evaluated }: HostState): StorePath | undefined =>
  finished !== undefined && isSuccess(finished.verdict) ? evaluated?.outPath : undefined;
