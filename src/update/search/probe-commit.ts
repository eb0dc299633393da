// Builds of a few hosts at a commit that is not to land, to learn what breaks them.
import type { Clock } from "../../base/clock.ts";
import { isBug } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { Commit, HostName, RepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { isSuccess } from "../../protocol/verdicts.ts";
import type { OverriddenCommit } from "../judge/judge-revision.ts";
import { buildCommit } from "../judge/build-commit.ts";

export interface ProbeOptions {
  readonly builds: BuildReader;
  /** Whose hosts are built. */
  readonly repo: RepoName;
  /** What of it is built for a commit that is offered: that commit, or another with it as an input. */
  readonly revisionOf: (commit: Commit) => OverriddenCommit;
  readonly clock: Clock;
  readonly log: Log;
  /** The hosts that are there at a commit. */
  readonly inventory: (commit: Commit, signal: AbortSignal) => Promise<readonly string[]>;
}

export interface Probe {
  /** The commit, where builders find it; undefined when there is none. */
  readonly offer: (signal: AbortSignal) => Promise<Commit | undefined>;
  /** All that are built. */
  readonly hosts: readonly HostName[];
  /** What is asked, for those who look at builds. */
  readonly question: string;
}

export type Probed =
  | { readonly type: "built"; readonly state: BuildState }
  /** Hosts are not there, so nothing was built. */
  | { readonly type: "missing"; readonly hosts: readonly string[] }
  /** An infrastructure fault, or a flake that does not evaluate at all. */
  | { readonly type: "unknown" };

export async function probeCommit(
  { builds, repo, revisionOf, clock, log, inventory }: ProbeOptions,
  { offer, hosts, question }: Probe,
  signal: AbortSignal,
): Promise<Probed> {
  try {
    const commit = await offer(signal);
    if (commit === undefined) return { type: "unknown" };
    const present = await inventory(commit, signal);
    const missing = hosts.filter((host) => !present.includes(host));
    if (missing.length > 0) return { type: "missing", hosts: missing };
    const id = newBuildId(clock.now());
    const wish = { id, repo, ...revisionOf(commit), hosts, requestedBy: `update: ${question}` };
    return { type: "built", state: await buildCommit(builds, wish, signal) };
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    log.warn({ question, err: error }, "a part of the update could not be judged");
    return { type: "unknown" };
  }
}

/** Whether every one of the hosts is known to build. */
export function allBuilt({ hosts }: BuildState, wanted: readonly HostName[]): boolean {
  const verdicts = [...hosts.values()].map((host) => host.finished?.verdict);
  return (
    verdicts.length === wanted.length &&
    verdicts.every((verdict) => verdict !== undefined && isSuccess(verdict))
  );
}
