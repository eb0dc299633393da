// The fleet on one screen: what was read, and whether it is well.
import type { QueueState } from "../bus/bus.ts";
import type { CacheProbe } from "../cache/cache-info.ts";
import { presence, type BuilderStatus } from "../protocol/builder-status.ts";
import type { RepoName } from "../protocol/names.ts";
import type { BuildSummary, HostResult } from "../protocol/results.ts";
import type { UpdateEvent } from "../protocol/update-events.ts";
import { isHalted, type Rollout } from "../protocol/rollout/rollout.ts";
import { isOwnFault, outcomeOf } from "../protocol/verdicts.ts";
import type { HostCondition, RunningHost } from "./running-hosts.ts";

export interface FleetStatus {
  readonly builders: readonly BuilderStatus[];
  readonly queue: QueueState;
  /** Builds that builders hold, with how many of their hosts are done. */
  readonly running: readonly RunningBuild[];
  /** The newest build of the branch of each repo that is over. */
  readonly last: readonly { readonly repo: RepoName; readonly build: BuildSummary }[];
  /** Every host that was built on its branch, as it is there. */
  readonly hosts: readonly HostResult[];
  /** What runs where. */
  readonly deployed: readonly RunningHost[];
  /** Those that are not over, the newest first. */
  readonly rollouts: readonly Rollout[];
  /** The newest of each repo. */
  readonly updates: readonly UpdateEvent[];
  /** Undefined where the configuration names none. */
  readonly cache: CacheState | undefined;
}

export interface RunningBuild {
  readonly build: BuildSummary;
  readonly done: number;
}

export type CacheState = { readonly url: string } & (CacheProbe | { readonly reason: string });

export const isPresent = ({ at }: Pick<BuilderStatus, "at">, now: Date): boolean =>
  now.getTime() - Date.parse(at) <= presence.goneAfterMs;

/** A host whose last verdict on its branch is not a success, and that somebody or something has to fix. */
export const isUnwell = ({ verdict }: Pick<HostResult, "verdict">): boolean =>
  isOwnFault(verdict) || verdict === "infra-failed" || verdict === "skipped";

/** Less than this part of its disk free, and a builder soon builds nothing any more. */
const leastFree = 0.05;

/** What is not well, a sentence each. None: the fleet is well. */
export function findProblems(status: FleetStatus, now: Date): readonly string[] {
  return [
    ...rolloutProblems(status.rollouts),
    ...builderProblems(status.builders, now),
    ...hostProblems(status.hosts),
    ...deployProblems(status.deployed),
    ...buildProblems(status),
    ...status.updates
      .filter(({ outcome }) => outcome === "failed")
      .map(({ repo }) => `the last update of ${repo} failed`),
    ...(status.cache !== undefined && "reason" in status.cache ? ["the cache does not answer"] : []),
  ];
}

function builderProblems(builders: readonly BuilderStatus[], now: Date): readonly string[] {
  const present = builders.filter((builder) => isPresent(builder, now));
  if (present.length === 0) {
    return [builders.length === 0 ? "no builder was ever here" : "no builder is here"];
  }
  // One that is gone for good is missed only where no other has its repos.
  const served = new Set(present.flatMap(({ repos }) => repos));
  const orphaned = [...new Set(builders.flatMap(({ repos }) => repos))].filter((repo) => !served.has(repo));
  return [
    ...orphaned.map((repo) => `no builder for ${repo} is here`),
    ...present
      .filter(({ disk }) => disk !== undefined && disk.availableBytes < leastFree * disk.totalBytes)
      .map(({ name }) => `the disk of ${name} is almost full`),
  ];
}

function hostProblems(hosts: readonly HostResult[]): readonly string[] {
  const failing = hosts.filter(({ verdict }) => isOwnFault(verdict)).length;
  const bugs = hosts.filter((host) => outcomeOf(host) === "internal-error").length;
  const unlucky = hosts.filter(({ verdict }) => verdict === "infra-failed").length - bugs;
  const skipped = hosts.filter(({ verdict }) => verdict === "skipped").length;
  const said = (count: number, what: string): readonly string[] =>
    count === 0 ? [] : [`${count} ${count === 1 ? "host" : "hosts"} ${what}`];
  return [
    ...said(failing, failing === 1 ? "fails" : "fail"),
    ...said(unlucky, "without a verdict because of an infrastructure fault"),
    ...said(bugs, "without a verdict because of a bug in homelab-deploy"),
    ...said(skipped, skipped === 1 ? "has no builder for its system" : "have no builder for their systems"),
  ];
}

/** What waits for somebody: not drift or a reboot, which a host can live with. */
function deployProblems(hosts: readonly RunningHost[]): readonly string[] {
  const count = (type: HostCondition["type"]): number =>
    hosts.filter(({ conditions }) => conditions.some((condition) => condition.type === type)).length;
  const stuck = count("rollback-failed");
  const failed = count("last-failed");
  return [
    ...(stuck === 0 ? [] : [`${stuck} ${stuck === 1 ? "host" : "hosts"} could not roll back`]),
    ...(failed === 0 ? [] : [`the last deploy of ${failed} ${failed === 1 ? "host" : "hosts"} failed`]),
  ];
}

/** It does not continue until somebody decides. */
const rolloutProblems = (rollouts: readonly Rollout[]): readonly string[] =>
  [...Map.groupBy(rollouts.filter(isHalted), ({ repo }) => repo)].map(([repo, halted]) =>
    halted.length === 1
      ? `a rollout of ${repo} is halted`
      : `${halted.length} rollouts of ${repo} are halted`,
  );

/** If a build found no hosts, only the build itself has the reason. */
const buildProblems = ({ last }: FleetStatus): readonly string[] =>
  last
    .filter(
      ({ build: { status, hosts } }) => hosts.total === 0 && ["failed", "infra-failed"].includes(status),
    )
    .map(({ repo }) => `the hosts of ${repo} could not be listed`);
