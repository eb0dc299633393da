// What is known about the fleet at one moment. Every change makes a new picture, and what did not change in it is the same
// object as before: whoever draws it can remember what was drawn.
import { fullName, type BuildId, type FullHostName } from "../../protocol/names.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";
import type { BuildState, HostState } from "../../protocol/build-state.ts";
import type { QueueState, StreamUse } from "../../bus/bus.ts";
import type { BuildProgress, HostProgress, RunningDerivation } from "../../protocol/progress.ts";
import type { BuildSummary, HostResult } from "../../protocol/results.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";
import type { UpdateEvent } from "../../protocol/update-events.ts";
import type { AlertState } from "../../fleet/alert-state.ts";
import type { CacheState, FleetStatus } from "../../fleet/fleet-status.ts";
import type { RunningHost } from "../../fleet/running-hosts.ts";
import { lastOfEach, onBranch } from "../../fleet/newest-results.ts";

/** A build that is not over, as far as its events and its last progress message tell. */
export interface OpenBuild {
  readonly state: BuildState;
  readonly progress?: BuildProgress;
  readonly progressAt?: Date;
  /** The last of each host: a message has only those that changed. */
  readonly hostProgress: ReadonlyMap<FullHostName, HostProgress>;
}

export interface FleetPicture {
  /** Everything was read at least once. */
  readonly isComplete: boolean;
  readonly isConnected: boolean;
  /** When the connection was lost, or what is read was last known to be true (RFC 3339). */
  readonly asOf: string;
  /** Newest first, open ones too. */
  readonly builds: readonly BuildSummary[];
  readonly open: ReadonlyMap<BuildId, OpenBuild>;
  readonly hosts: readonly HostResult[];
  /** What runs where, by repo and name; empty where no host ever spoke. */
  readonly running: readonly RunningHost[];
  /** The newest first; undefined until they were read. */
  readonly rollouts: readonly Rollout[] | undefined;
  readonly builders: readonly BuilderStatus[];
  readonly queue: QueueState;
  /** The newest of each repo. */
  readonly updates: readonly UpdateEvent[];
  readonly cache: CacheState | undefined;
  readonly alerts: AlertState | undefined;
  readonly streams: readonly StreamUse[];
}

export const emptyPicture = (now: Date): FleetPicture => ({
  isComplete: false,
  isConnected: false,
  asOf: now.toISOString(),
  builds: [],
  open: new Map(),
  hosts: [],
  running: [],
  rollouts: undefined,
  builders: [],
  queue: { waiting: 0, targets: [] },
  updates: [],
  cache: undefined,
  alerts: undefined,
  streams: [],
});

/** The same facts as `homelab-deploy status` judges. */
export function statusOfPicture(picture: FleetPicture): FleetStatus {
  const { builders, queue, hosts, updates, cache, rollouts = [] } = picture;
  const running = [...picture.open.values()]
    .filter(({ state }) => state.status === "running")
    .map(({ state }) => ({
      build: picture.builds.find(({ id }) => id === state.id),
      done: [...state.hosts.values()].filter(({ finished }) => finished !== undefined).length,
    }))
    .flatMap(({ build, done }) => (build === undefined ? [] : [{ build, done }]));
  return {
    builders,
    queue,
    running,
    last: lastOfEach(picture.builds.slice(0, 100)),
    hosts: hosts.flatMap(onBranch),
    deployed: picture.running,
    rollouts: rollouts.filter(({ end }) => end === undefined),
    updates,
    cache,
  };
}

/** What an open build does with one host. */
export interface HostActivity {
  readonly build: BuildId;
  readonly host: HostState;
  readonly isEvaluating: boolean;
  readonly progress: HostProgress | undefined;
  /** The one that runs longest. */
  readonly derivation: RunningDerivation | undefined;
  /** When the derivation was started, or the build (RFC 3339). */
  readonly since: string | undefined;
}

/** By host, of the newest open build that has no verdict on it yet. */
export function hostActivities(picture: FleetPicture): ReadonlyMap<FullHostName, HostActivity> {
  const found = new Map<FullHostName, HostActivity>();
  for (const { state, progress, progressAt, hostProgress } of picture.open.values()) {
    if (state.status !== "running") continue;
    const evaluating = new Set(progress?.evaluations?.running.map(fullName));
    const derivations = new Map<FullHostName, RunningDerivation>();
    for (const derivation of progress?.running ?? []) {
      if (derivation.host === undefined) continue;
      const name = fullName(derivation.host);
      if (!derivations.has(name)) derivations.set(name, derivation);
    }
    for (const [name, host] of state.hosts) {
      if (host.finished !== undefined || (found.get(name)?.build ?? "") > state.id) continue;
      found.set(name, {
        build: state.id,
        host,
        isEvaluating: evaluating.has(name),
        progress: hostProgress.get(name),
        derivation: derivations.get(name),
        since: startOfDerivation(derivations.get(name), progressAt) ?? state.startedAt,
      });
    }
  }
  return found;
}

/** To the second: each message says it again, a little differently. */
export function startOfDerivation(
  derivation: RunningDerivation | undefined,
  saidAt: Date | undefined,
): string | undefined {
  if (derivation === undefined || saidAt === undefined) return undefined;
  const start = Math.round((saidAt.getTime() - derivation.elapsedMs) / 1000) * 1000;
  return new Date(start).toISOString();
}
