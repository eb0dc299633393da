// Pausing, resuming and aborting: appended to the rollout's log, also while the deployer is down.
import { HomelabError } from "../../base/errors.ts";
import type { RolloutBus } from "../../bus/rollout-bus.ts";
import type { RolloutEvent, RolloutId } from "../../protocol/rollout/rollout-events.ts";
import { foldRollout, type Rollout } from "../../protocol/rollout/rollout.ts";
import { outcomeWords } from "../../words/rollout-words.ts";

export type RolloutControl = "pause" | "resume" | "abort";

export interface Asking {
  readonly by: string;
  readonly reason?: string;
  readonly now: () => Date;
}

export interface ControlOutcome {
  readonly rollout: Rollout;
  /** False where it was so already. */
  readonly changed: boolean;
}

/** The deployer appends often while it orders. */
const mostTries = 50;

/** @throws HomelabError `refused` `ROLLOUT_OVER`, `usage` `UNKNOWN_ROLLOUT`, `unavailable` `ROLLOUT_CHANGING` */
export async function controlRollout(
  bus: RolloutBus,
  id: RolloutId,
  control: RolloutControl,
  { by, reason, now }: Asking,
  signal: AbortSignal,
): Promise<ControlOutcome> {
  for (let tries = 0; tries < mostTries; tries++) {
    const { events, sequence } = await bus.readRollout(id, signal);
    const rollout = foldRollout(events);
    if (rollout === undefined) {
      throw new HomelabError("usage", `there is no rollout ${id}`, {
        code: "UNKNOWN_ROLLOUT",
        hint: "list them: homelab-deploy rollouts list",
      });
    }
    if (!decideControl(rollout, control)) return { rollout, changed: false };
    const { repo } = rollout;
    const event: RolloutEvent = {
      type: words[control],
      rollout: id,
      repo,
      at: now().toISOString(),
      by,
      reason,
    };
    if ((await bus.appendRolloutEvent(event, sequence, signal)) !== undefined)
      return { rollout, changed: true };
  }
  throw new HomelabError("unavailable", `the log of rollout ${id} grows faster than we can append to it`, {
    code: "ROLLOUT_CHANGING",
    hint: "try again",
  });
}

const words = { pause: "paused", resume: "resumed", abort: "aborted" } as const;

/**
 * Whether there is something to append.
 *
 * @throws HomelabError `refused` `ROLLOUT_OVER` where nothing can be changed any more
 */
export function decideControl(
  { id, end, aborted, halted, paused }: Rollout,
  control: RolloutControl,
): boolean {
  const over = (how: string): HomelabError =>
    new HomelabError("refused", `rollout ${id} ${how}`, {
      code: "ROLLOUT_OVER",
      hint: `deploy the hosts that are left: homelab-deploy rollouts retry ${id}`,
    });
  if (end !== undefined) throw over(`is over: ${outcomeWords[end.outcome]}`);
  switch (control) {
    case "abort":
      return aborted === undefined;
    case "pause":
      if (aborted !== undefined) throw over("is being aborted");
      return paused === undefined;
    case "resume":
      if (aborted !== undefined) throw over("is being aborted");
      return paused !== undefined || halted !== undefined;
  }
}
