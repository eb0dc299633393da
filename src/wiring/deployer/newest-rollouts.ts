// The newest rollouts of all repos. Those that are over do not change, and are read once.
import type { RolloutReader } from "../../bus/rollout-bus.ts";
import type { RolloutId } from "../../protocol/rollout/rollout-events.ts";
import { foldRollout, type Rollout } from "../../protocol/rollout/rollout.ts";

const lookedAt = 30;

/** Newest first. */
export function createNewestRollouts(
  reader: Pick<RolloutReader, "rolloutIds" | "readRollout">,
): (signal: AbortSignal) => Promise<readonly Rollout[]> {
  let over = new Map<RolloutId, Rollout>();
  return async (signal) => {
    const found: Rollout[] = [];
    for (const id of (await reader.rolloutIds(signal)).slice(0, lookedAt)) {
      const rollout = over.get(id) ?? foldRollout((await reader.readRollout(id, signal)).events);
      if (rollout !== undefined) found.push(rollout);
    }
    over = new Map(found.filter(({ end }) => end !== undefined).map((rollout) => [rollout.id, rollout]));
    return found;
  };
}
