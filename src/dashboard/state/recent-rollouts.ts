// The newest rollouts, kept true: those that run are followed, those that are over never change.
import type { Log } from "../../base/log.ts";
import type { RolloutReader } from "../../bus/rollout-bus.ts";
import type { RolloutId } from "../../protocol/rollout/rollout-events.ts";
import { applyRolloutEvent, foldRollout, type Rollout } from "../../protocol/rollout/rollout.ts";

export interface RecentRollouts {
  /** Looks for rollouts that are not known yet. */
  read(): Promise<void>;
  /** Its log has news: one that is not followed yet is, if it runs. */
  changed(id: RolloutId): void;
  /** One of any age; undefined where nobody asked for it. */
  find(id: RolloutId, signal: AbortSignal): Promise<Rollout | undefined>;
}

export interface RecentRolloutsOptions {
  readonly rollouts: RolloutReader;
  readonly log: Log;
}

/** As many as a page shows; those that run are among the newest. */
const most = 50;

/** @param onChange is given the newest first */
export function createRecentRollouts(
  { rollouts: reader, log }: RecentRolloutsOptions,
  onChange: (rollouts: readonly Rollout[]) => void,
  until: AbortSignal,
): RecentRollouts {
  const known = new Map<RolloutId, Rollout>();
  const following = new Set<RolloutId>();

  function tell(): void {
    const newest = [...known.keys()].toSorted().toReversed();
    for (const id of newest.slice(most)) known.delete(id);
    onChange(newest.flatMap((id) => known.get(id) ?? []));
  }

  function follow(id: RolloutId): void {
    if (following.has(id) || known.get(id)?.end !== undefined) return;
    following.add(id);
    followOne(id)
      .catch((error: unknown) => {
        if (!until.aborted) log.warn({ err: error, rollout: id }, "cannot follow a rollout");
      })
      .finally(() => following.delete(id));
  }

  /** Until it is over. */
  async function followOne(id: RolloutId): Promise<void> {
    let rollout: Rollout | undefined;
    let taken = 0;
    for await (const { events } of reader.followRollout(id, until)) {
      for (const event of events.slice(taken)) rollout = applyRolloutEvent(rollout, event);
      taken = events.length;
      if (rollout === undefined) continue;
      known.set(id, rollout);
      tell();
      if (rollout.end !== undefined) return;
    }
  }

  const readOne = async (id: RolloutId, signal: AbortSignal): Promise<Rollout | undefined> =>
    foldRollout((await reader.readRollout(id, signal)).events);

  return {
    async read() {
      const newest = (await reader.rolloutIds(until)).slice(0, most);
      const unknown = newest.filter((id) => !known.has(id));
      for (const rollout of await Promise.all(unknown.map(async (id) => readOne(id, until)))) {
        if (rollout !== undefined && !known.has(rollout.id)) known.set(rollout.id, rollout);
      }
      tell();
      for (const id of newest) follow(id);
    },
    changed: follow,
    find: async (id, signal) => known.get(id) ?? readOne(id, signal),
  };
}
