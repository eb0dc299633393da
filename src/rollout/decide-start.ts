// Which rollout is next, and whether one begins by itself: for a new build of the branch, or for hosts that are back.
import { isAbsent, type HostState } from "../protocol/deploy/host-state.ts";
import type { BuildId, Commit, HostName } from "../protocol/names.ts";
import type { RolloutEventOf, RolloutId, rolloutTriggers } from "../protocol/rollout/rollout-events.ts";
import type { KnownRollout } from "./known-rollouts.ts";
import type { RolloutSettings } from "./deployer-parts.ts";

/** The newest build of the branch that succeeded, with everything stated. */
export interface GreenBuild {
  readonly build: BuildId;
  readonly commit: Commit;
}

export interface StartFacts {
  readonly settings: Pick<RolloutSettings, "automatic" | "whenOnlineMs">;
  /** This repo's rollouts, newest first. */
  readonly rollouts: readonly KnownRollout[];
  readonly green?: GreenBuild;
  /** The states of this repo's hosts. */
  readonly states: ReadonlyMap<HostName, HostState>;
  readonly now: Date;
}

export interface NewRollout {
  readonly trigger: (typeof rolloutTriggers)[number];
  readonly commit: Commit;
  readonly branch?: RolloutEventOf<"created">["branch"];
  readonly build?: BuildId;
  readonly hosts: readonly HostName[];
}

export type StartStep =
  | { readonly type: "run"; readonly rollout: RolloutId }
  /** A newer one waits, and takes its place. */
  | { readonly type: "supersede"; readonly rollout: RolloutId; readonly by: RolloutId }
  | { readonly type: "create"; readonly rollout: NewRollout };

/** Undefined where there is nothing to do. One rollout runs at a time, and one may wait. */
export function decideStart(facts: StartFacts): StartStep | undefined {
  const open = facts.rollouts.filter(({ end }) => end === undefined);
  const begun = open.filter(({ partsLeft }) => partsLeft !== undefined);
  const waiting = open.filter(({ partsLeft }) => partsLeft === undefined);
  const [newest, older] = waiting;
  if (newest !== undefined && older !== undefined) {
    return { type: "supersede", rollout: older.id, by: newest.id };
  }
  // Two that have begun are of a deployer of another release, or of two of them: the older one first.
  const next = begun.at(-1) ?? newest;
  if (next !== undefined) return { type: "run", rollout: next.id };
  return decideAutomatic(facts) ?? decideReturned(facts);
}

/**
 * Once for each commit, however it ended: what people stopped does not start again by itself. One that met nobody has proven
 * nothing, and starts again, as carefully as at first, when somebody is there.
 */
function decideAutomatic({ settings, rollouts, green, states, now }: StartFacts): StartStep | undefined {
  if (!settings.automatic || green === undefined || states.size === 0) return undefined;
  const isThere = [...states.values()].some((state) => !isAbsent(state, now));
  const isKnown = rollouts.some(
    ({ commit, trigger, end, wanted, reachedNobody }) =>
      commit === green.commit &&
      end?.outcome !== "superseded" &&
      !(reachedNobody && isThere) &&
      // Somebody's rollout of a few hosts is not one of all hosts.
      (trigger === "automatic" || [...states.keys()].every((host) => wanted.includes(host))),
  );
  if (isKnown) return undefined;
  return { type: "create", rollout: { trigger: "automatic", ...green, hosts: [...states.keys()] } };
}

/** Hosts that were absent from the newest rollout that they were part of, and are back: what has completed elsewhere. */
function decideReturned({ settings, rollouts, states, now }: StartFacts): StartStep | undefined {
  const settled = new Set<HostName>();
  for (const { absent, wanted, end, commit, branch, build, isProven } of rollouts) {
    const isGood = end?.outcome === "completed" || end?.outcome === "completed-with-absent";
    const isFresh = end !== undefined && now.getTime() - Date.parse(end.at) <= settings.whenOnlineMs;
    const back = absent.filter(({ host, path, from }) => {
      const state = states.get(host);
      if (settled.has(host) || state === undefined || isAbsent(state, now)) return false;
      const { running } = state;
      // What somebody else made it run meanwhile stays.
      return running.path !== path && (from === undefined || running.path === from);
    });
    for (const host of wanted) settled.add(host);
    if (!isGood || !isProven || !isFresh || back.length === 0) continue;
    const names = back.map(({ host }) => host);
    return { type: "create", rollout: { trigger: "returned", commit, branch, build, hosts: names } };
  }
  return undefined;
}
