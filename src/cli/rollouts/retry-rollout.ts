// A new rollout for the hosts of an earlier one that do not run it yet.
import { HomelabError } from "../../base/errors.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import type { HostName } from "../../protocol/names.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";
import { requester } from "../builds/decide-request.ts";
import { answer } from "../command.ts";
import type { Context } from "../context.ts";
import { changeReader, readPlanChanges } from "../deploy/read-plan-changes.ts";
import { loadCommandConfig } from "../session/connect.ts";
import type { DeploySession } from "../session/connect-deploy.ts";
import { findRollout } from "./find-rollout.ts";
import { noDeployer, startRollout, type StartOptions } from "./start-rollout.ts";

export interface RetryOptions extends StartOptions {
  readonly atOnce?: boolean;
  readonly reason?: string;
}

/** @throws HomelabError `refused` `ROLLOUT_RUNS`, `unavailable` `NO_DEPLOYER` */
export async function retryRollout(
  context: Context,
  session: DeploySession,
  reference: string,
  { atOnce, reason, ...options }: RetryOptions,
): Promise<number> {
  const { rollout } = await findRollout(session.rollouts, reference, session.signal);
  if (rollout.end === undefined) {
    throw new HomelabError("refused", `rollout ${rollout.id} is not over`, {
      code: "ROLLOUT_RUNS",
      hint: `resume it, or abort it first: homelab-deploy rollouts abort ${rollout.id}`,
    });
  }
  const hosts = hostsToRetry(rollout);
  if (hosts.length === 0) {
    answer(context, {
      json: () => ({ rollout: null, hosts: [] }),
      text: () => `Every host of rollout ${rollout.id} runs it: there is nothing to retry.\n`,
      line: true,
    });
    return exitCodes.success;
  }
  const config = await loadCommandConfig(context);
  const code = await startRollout(
    context,
    {
      ...session,
      changes: (changing) => readPlanChanges(changing, changeReader(context, config), session.signal),
    },
    rollout.repo,
    { by: requester().slice(0, 64), reason, hosts: [...hosts], atOnce, retryOf: rollout.id },
    options,
  );
  if (code === undefined) throw noDeployer(rollout.repo);
  return code;
}

/** What was never planned is left to the new plan. */
export const hostsToRetry = ({ hosts, wanted }: Pick<Rollout, "hosts" | "wanted">): readonly HostName[] =>
  wanted.filter((host) => {
    const status = hosts.get(host)?.status;
    const isThere = status === "done" || status === "unchanged";
    return !isThere || hosts.get(host)?.reboot === "failed";
  });
