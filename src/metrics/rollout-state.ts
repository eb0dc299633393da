// What the rollouts of a repo are at, in one word.
import { isPlanned, type Rollout } from "../protocol/rollout/rollout.ts";

/**
 * - `idle`: none runs or waits
 * - `waiting`: one was created, and has no plan yet
 * - `aborting`: somebody aborted it, and orders are still under way
 */
export const rolloutStates = [
  "idle",
  "waiting",
  "running",
  "soaking",
  "paused",
  "halted",
  "aborting",
] as const;
export type RolloutState = (typeof rolloutStates)[number];

/** The state of the rollout that has begun, also while another one waits. */
export function rolloutStateOf(rollouts: readonly Rollout[]): RolloutState {
  const open = rollouts.filter(({ end }) => end === undefined);
  const begun = open.find(isPlanned);
  if (begun === undefined) return open.length === 0 ? "idle" : "waiting";
  if (begun.aborted !== undefined) return "aborting";
  if (begun.halted !== undefined) return "halted";
  if (begun.paused !== undefined) return "paused";
  const soaks = begun.waves.some(({ soak, soakedAt }) => soak !== undefined && soakedAt === undefined);
  return soaks ? "soaking" : "running";
}
