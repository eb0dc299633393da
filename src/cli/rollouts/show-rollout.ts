import type { DeployReader } from "../../bus/deploy-bus.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import { rolloutExitCode } from "../../protocol/rollout/rollout-exit-code.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";
import { answer } from "../command.ts";
import type { Context } from "../context.ts";
import { rolloutJson } from "../print/rollout/rollout-json.ts";
import { adviceOf } from "../print/rollout/rollout-renderer.ts";
import { rolloutLines } from "../print/rollout/rollout-view.ts";

export interface ShowParts {
  readonly bus: Pick<DeployReader, "hostStates">;
  readonly signal: AbortSignal;
}

/** @returns how the rollout ended, 0 while it runs */
export async function showRollout(
  context: Context,
  { bus, signal }: ShowParts,
  rollout: Rollout,
): Promise<number> {
  const { clock, out, outStyle: style } = context;
  const states = new Map((await bus.hostStates(signal, rollout.repo)).map((state) => [state.host, state]));
  const now = clock.now();
  const print = { style, now, states, width: out.columns, advice: adviceOf(rollout) };
  answer(context, {
    json: () => rolloutJson(rollout, states, now),
    text: () => `${rolloutLines(rollout, print).join("\n")}\n`,
  });
  return rolloutExitCode(rollout) ?? exitCodes.success;
}
