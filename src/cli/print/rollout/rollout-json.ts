// A rollout for programs. Fields are only ever added.
import { rolloutExitCode } from "../../../protocol/rollout/rollout-exit-code.ts";
import type { RolloutOutcome } from "../../../protocol/rollout/rollout-events.ts";
import type { Rollout } from "../../../protocol/rollout/rollout.ts";
import { rolloutWait, type HostStates } from "../../../words/rollout-waits.ts";

/**
 * - `waiting`: another one runs first; `planning`: its plan is not whole
 * - `aborting`: hosts finish what they have begun
 */
export type RolloutStatus =
  | "waiting"
  | "planning"
  | "running"
  | "paused"
  | "halted"
  | "aborting"
  | RolloutOutcome;

export function statusOfRollout({ end, aborted, halted, paused, partsLeft }: Rollout): RolloutStatus {
  if (end !== undefined) return end.outcome;
  if (aborted !== undefined) return "aborting";
  if (halted !== undefined) return "halted";
  if (paused !== undefined) return "paused";
  if (partsLeft === undefined) return "waiting";
  return partsLeft > 0 ? "planning" : "running";
}

/** In `rollouts list`. */
export function summaryJson(rollout: Rollout): object {
  const { id, repo, commit, branch, build, trigger, retryOf, created, startedAt, halted, end } = rollout;
  const hosts = [...rollout.hosts.values()];
  const numbers = Object.fromEntries(
    [...Map.groupBy(hosts, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  );
  return {
    id,
    repo,
    status: statusOfRollout(rollout),
    exitCode: rolloutExitCode(rollout),
    commit,
    branch,
    build,
    trigger,
    retryOf,
    ...created,
    startedAt,
    endedAt: end?.at,
    detail: end?.detail ?? halted?.detail,
    code: halted?.code,
    hostCounts: hosts.length === 0 ? { wanted: rollout.wanted.length } : numbers,
  };
}

/** `rollouts show`, and the last line of what follows one. */
export const rolloutJson = (rollout: Rollout, states: HostStates, now: Date): object => ({
  ...summaryJson(rollout),
  waitsFor: rolloutWait(rollout, states, now),
  paused: rollout.paused,
  halted: rollout.halted,
  aborted: rollout.aborted,
  policy: rollout.policy,
  waves: rollout.waves,
  wanted: rollout.wanted,
  hosts: [...rollout.hosts.values()],
});
