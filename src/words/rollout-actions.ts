// What somebody can do about a rollout, for the command line and the dashboard.
import type { Rollout } from "../protocol/rollout/rollout.ts";

export type RolloutAction = "pause" | "resume" | "abort" | "retry";

/** None where it is well, or where it ends by itself. */
export function rolloutActions({
  end,
  halted,
  paused,
  aborted,
}: Pick<Rollout, "end" | "halted" | "paused" | "aborted">): readonly RolloutAction[] {
  if (end !== undefined) {
    return end.outcome === "completed" || end.outcome === "superseded" ? [] : ["retry"];
  }
  if (aborted !== undefined) return [];
  return [halted === undefined && paused === undefined ? "pause" : "resume", "abort"];
}
