// The rollouts of one repo, as far as they say what comes next. Those that are over do not change: they are read once, and only
// what is asked of them later is kept, because a rollout of a thousand hosts is large.
import type { Log } from "../base/log.ts";
import type { Clock } from "../base/clock.ts";
import type { DeployerBus } from "../bus/rollout-bus.ts";
import type { HostName, RepoName, StorePath } from "../protocol/names.ts";
import type { RolloutId } from "../protocol/rollout/rollout-events.ts";
import {
  foldRollout,
  takesNothing,
  waitsForBoot,
  type Rollout,
  type RolloutHost,
} from "../protocol/rollout/rollout.ts";
import { timeOf } from "../protocol/ulid.ts";

export interface KnownRollout extends Pick<
  Rollout,
  "id" | "commit" | "branch" | "build" | "trigger" | "wanted" | "partsLeft" | "end"
> {
  /** Hosts that were away, and that take orders. */
  readonly absent: readonly Pick<RolloutHost, "host" | "path" | "from">[];
  readonly wentBack: readonly { readonly host: HostName; readonly path?: StorePath }[];
  /** Some host runs what it brought. */
  readonly isProven: boolean;
  /** It has ended, and every host was away. */
  readonly reachedNobody: boolean;
}

export interface KnownRollouts {
  /** Newest first. */
  read(signal: AbortSignal): Promise<readonly KnownRollout[]>;
}

export interface KnownRolloutsParts {
  readonly repo: RepoName;
  readonly rollouts: Pick<DeployerBus, "rolloutIds" | "readRollout" | "appendRolloutEvent">;
  readonly whenOnlineMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** How many of the repo's rollouts are always known, however old. */
const leastKnown = 100;
/** A rollout may wait for people for so long before it ends, and hosts then have their time to come back. */
const longestMs = 30 * 86_400_000;

export function createKnownRollouts(parts: KnownRolloutsParts): KnownRollouts {
  const { repo, rollouts, whenOnlineMs, clock } = parts;
  const over = new Map<RolloutId, KnownRollout>();
  /** Rollouts of other repos. */
  const others = new Set<RolloutId>();

  async function readOne(id: RolloutId, signal: AbortSignal): Promise<KnownRollout | undefined> {
    const { events, foreign, sequence } = await rollouts.readRollout(id, signal);
    const rollout = foldRollout(foreign ?? events);
    if (rollout === undefined) return undefined;
    if (rollout.repo !== repo) {
      others.add(id);
      return undefined;
    }
    const known = foreign === undefined ? knownOf(rollout) : heldBackBy(rollout);
    if (known.end !== undefined) over.set(id, known);
    else if (foreign !== undefined) {
      await disown(parts, rollout, sequence, signal);
      return undefined;
    }
    return known;
  }

  return {
    async read(signal) {
      const found: KnownRollout[] = [];
      const oldest = clock.now().getTime() - whenOnlineMs - longestMs;
      for (const id of await rollouts.rolloutIds(signal)) {
        if (found.length >= leastKnown && timeOf(id).getTime() < oldest) break;
        if (others.has(id)) continue;
        const rollout = over.get(id) ?? (await readOne(id, signal));
        if (rollout !== undefined) found.push(rollout);
      }
      return found;
    },
  };
}

/**
 * Ends a rollout that this deployer did not create, so that nobody waits for it: somebody wrote it into the log who may not,
 * or the deployer has another key than when it began.
 */
async function disown(
  { repo, rollouts, clock, log }: KnownRolloutsParts,
  { id, created: { by } }: Rollout,
  sequence: number,
  signal: AbortSignal,
): Promise<void> {
  log.warn({ repo, rollout: id, by }, "a rollout is not of this deployer, and is ended");
  const detail = "this deployer did not create it: its key was changed meanwhile, or somebody else wrote it";
  const event = { type: "finished" as const, rollout: id, repo, at: clock.now().toISOString() };
  await rollouts.appendRolloutEvent({ ...event, outcome: "failed", detail }, sequence, signal);
}

/**
 * What is not sealed by this deployer makes it do nothing, but keeps it from what was done or stopped before its key was
 * changed: the commit does not begin again by itself, and no host gets what it went back from.
 */
const heldBackBy = (rollout: Rollout): KnownRollout => ({
  ...knownOf(rollout),
  absent: [],
  isProven: false,
  reachedNobody: false,
});

export function knownOf(rollout: Rollout): KnownRollout {
  const { id, commit, branch, build, trigger, wanted, partsLeft, end } = rollout;
  const hosts = [...rollout.hosts.values()];
  const absent = hosts.filter((host) => host.status === "absent" && !takesNothing(host));
  return {
    id,
    commit,
    branch,
    build,
    trigger,
    wanted,
    partsLeft,
    end,
    absent: absent.map(({ host, path, from }) => ({ host, path, from })),
    wentBack: hosts.filter(hasGoneBack).map(({ host, path }) => ({ host, path })),
    isProven: hosts.some(
      (host) => (host.status === "done" && !waitsForBoot(host)) || host.status === "unchanged",
    ),
    reachedNobody:
      end?.outcome === "completed-with-absent" &&
      hosts.length > 0 &&
      hosts.every(({ status }) => status === "absent"),
  };
}

const hasGoneBack = ({ order, result }: RolloutHost): boolean =>
  order?.kind === "activate" && (result?.outcome === "rolled-back" || result?.outcome === "rollback-failed");
