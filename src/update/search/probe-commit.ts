// Builds of a few hosts at a commit that is not to land, to learn what breaks them.
import type { Clock } from "../../base/clock.ts";
import { HomelabError, isBug, messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { Commit, HostName, RepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { isSuccess } from "../../protocol/verdicts.ts";
import type { OverriddenCommit } from "../judge/judge-revision.ts";
import { buildCommit } from "../judge/build-commit.ts";
import type { KeptBuilds } from "../kept/kept-builds.ts";

export interface ProbeOptions {
  readonly builds: BuildReader;
  readonly kept?: KeptBuilds;
  /** Whose hosts are built. */
  readonly repo: RepoName;
  /** What of it is built for a commit that is offered: that commit, or another with it as an input. */
  readonly revisionOf: (commit: Commit) => OverriddenCommit;
  readonly clock: Clock;
  readonly log: Log;
  /** The hosts that are there at a commit. @throws HomelabError `failed` when they do not evaluate. */
  readonly inventory: (commit: Commit, signal: AbortSignal) => Promise<readonly string[]>;
}

export interface Probe {
  readonly commit: Commit;
  /** Puts it where builders find it. */
  readonly offer: (signal: AbortSignal) => Promise<void>;
  /** All that are built. */
  readonly hosts: readonly HostName[];
  /** What is asked, for those who look at builds. */
  readonly question: string;
}

export type Probed =
  | { readonly type: "built"; readonly state: BuildState }
  /** Hosts are missing, so nothing was built. */
  | { readonly type: "missing"; readonly hosts: readonly string[] }
  /** Its hosts cannot even be listed, and the commit is to blame. */
  | { readonly type: "unlisted"; readonly reason: string }
  /** Why there is no verdict: the infrastructure. */
  | { readonly type: "unknown"; readonly reason: string };

export async function probeCommit(
  { builds, kept, repo, revisionOf, clock, log, inventory }: ProbeOptions,
  { commit, offer, hosts, question }: Probe,
  signal: AbortSignal,
): Promise<Probed> {
  try {
    const present = await listed(inventory, commit, signal);
    if ("failure" in present) return { type: "unlisted", reason: present.failure };
    const missing = hosts.filter((host) => !present.includes(host));
    if (missing.length > 0) return { type: "missing", hosts: missing };
    await offer(signal);
    const id = newBuildId(clock.now());
    const specification = { id, repo, ...revisionOf(commit), hosts, requestedBy: `update: ${question}` };
    return { type: "built", state: await buildCommit({ builds, kept }, specification, signal) };
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    log.warn({ question, err: error }, "a part of the update could not be judged");
    return { type: "unknown", reason: messageOf(error) };
  }
}

async function listed(
  inventory: ProbeOptions["inventory"],
  commit: Commit,
  signal: AbortSignal,
): Promise<readonly string[] | { readonly failure: string }> {
  try {
    return await inventory(commit, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HomelabError && error.kind === "failed") return { failure: error.message };
    throw error;
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
