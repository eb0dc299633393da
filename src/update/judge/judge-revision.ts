// A revision judged by what came before it: all its hosts are built, and of the one before only those that fail.
import type { Clock } from "../../base/clock.ts";
import { isBug } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildState, HostState } from "../../protocol/build-state.ts";
import type { BuildId, Commit, HostName, RepoName } from "../../protocol/names.ts";
import { variantOf, type Override } from "../../protocol/overrides.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { recordedHosts } from "./base-records.ts";
import { classifyHosts, greenHosts, hostsToCompare, type Classes } from "./decide-classes.ts";
import type { KeptBuilds } from "../kept/kept-builds.ts";
import { buildCommit } from "./build-commit.ts";

export interface JudgeOptions {
  readonly builds: BuildReader;
  readonly kept?: KeptBuilds;
  readonly clock: Clock;
  readonly log: Log;
}

export interface OverriddenCommit {
  readonly commit: Commit;
  readonly overrides?: readonly Override[];
}

export interface Judgement {
  readonly repo: RepoName;
  readonly before: OverriddenCommit;
  readonly after: OverriddenCommit;
  /** The id of the build of `after`. */
  readonly id: BuildId;
  /** All hosts if absent. */
  readonly hosts?: readonly HostName[];
  readonly requestedBy: string;
  /** The hosts that were there before, or why it is unknown. */
  readonly inventory: readonly string[] | { readonly failure: string };
}

export interface Judged {
  readonly state: BuildState;
  /** The build of `before`, for the hosts that fail; absent if none does. */
  readonly baseState?: BuildState;
  readonly classes: Classes;
}

/** @throws HomelabError `unavailable` where there is no verdict. */
export async function judgeRevision(
  options: JudgeOptions,
  { repo, before, after, id, hosts, requestedBy, inventory }: Judgement,
  signal: AbortSignal,
): Promise<Judged> {
  const state = await buildCommit(options, { id, repo, ...after, hosts, requestedBy }, signal);
  if ("failure" in inventory) {
    const all = [...state.hosts.values()].map(
      (host) => [host.host, notEvaluated(host, inventory.failure)] as const,
    );
    return { state, classes: classifyHosts(state, { inventory: [], hosts: new Map(all) }) };
  }
  const failing = hostsToCompare(state).filter((host) => inventory.includes(host));
  const specification = { repo, ...before, hosts: failing, requestedBy: "update: was it broken before?" };
  const baseState = failing.length === 0 ? undefined : await buildBefore(options, specification, signal);
  const revision = { repo, commit: before.commit, variant: variantOf(before.overrides ?? []) };
  const recorded = await recordedHosts(options, revision, greenHosts(state), signal);
  const built = [...(baseState?.hosts.values() ?? [])].map((host) => [host.host, host] as const);
  const classes = classifyHosts(state, { inventory, hosts: new Map([...recorded, ...built]) });
  return { state, classes, baseState };
}

/** The state of a host if not even the list of hosts evaluates. */
const notEvaluated = ({ repo, host }: HostState, reason: string): HostState => ({
  repo,
  host,
  phase: "finished",
  finished: { repo, host, verdict: "eval-failed", reason, durationMs: 0 },
});

async function buildBefore(
  { builds, kept, clock, log }: JudgeOptions,
  specification: Omit<Parameters<typeof buildCommit>[1], "id">,
  signal: AbortSignal,
): Promise<BuildState | undefined> {
  try {
    return await buildCommit({ builds, kept }, { id: newBuildId(clock.now()), ...specification }, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    // It is unknown whether it was broken before, so it is unknown whether the update broke it.
    log.warn({ err: error }, "the base could not be built for comparison");
    return undefined;
  }
}
