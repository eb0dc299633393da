// Asks the deployer for a rollout: first for its plan, then, after a yes, for the rollout itself.
import { hasCode, HomelabError } from "../../base/errors.ts";
import type { DeployReader } from "../../bus/deploy-bus.ts";
import type { RolloutBus } from "../../bus/rollout-bus.ts";
import { refusalError } from "../../deploy/ordering/refusal-error.ts";
import { deployCodeNames, worstExitCode } from "../../protocol/deploy/deploy-codes.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import type { RepoName } from "../../protocol/names.ts";
import type { PlannedRolloutHost } from "../../protocol/rollout/rollout-events.ts";
import type { StartAnswer, StartRequest } from "../../protocol/rollout/start-request.ts";
import { count } from "../../words/rollout-words.ts";
import { rememberNames } from "../arguments/known-names.ts";
import { answer } from "../command.ts";
import type { Context } from "../context.ts";
import { confirm } from "../deploy/confirm.ts";
import { renderPlanChanges } from "../print/pages/plan-changes.ts";
import type { ChangingHost, PlanChanges } from "../deploy/read-plan-changes.ts";
import { renderRolloutPlan, type RolloutPlan } from "../print/pages/rollout-plan-page.ts";
import type { Interruptible } from "../session/signals.ts";
import { watchRollout } from "./watch-rollout.ts";

export interface StartParts extends Interruptible {
  readonly rollouts: RolloutBus;
  readonly bus: DeployReader;
  /** For `--plan`: what would change on these hosts. */
  readonly changes: (hosts: readonly ChangingHost[]) => Promise<PlanChanges>;
}

export interface StartOptions {
  readonly plan?: boolean;
  readonly yes?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
}

/**
 * @returns the exit code; undefined where no deployer answers for the repo, and nothing was done
 * @throws HomelabError of what the deployer refuses
 */
export async function startRollout(
  context: Context,
  parts: StartParts,
  repo: RepoName,
  request: StartRequest,
  options: StartOptions,
): Promise<number | undefined> {
  const { rollouts, bus, signal } = parts;
  const plan = await askForPlan(rollouts, repo, request, signal);
  if (plan === undefined) return undefined;
  if (plan.type !== "plan") throw notAnswered(plan);
  if (options.plan === true) return showPlan(context, parts, repo, plan);
  const ordered = plan.hosts.filter(({ leftOut }) => leftOut === undefined || leftOut === "absent");
  const states = new Map((await bus.hostStates(signal, repo)).map((state) => [state.host, state]));
  const now = context.clock.now();
  if (ordered.length === 0) {
    answer(context, {
      json: () => planJson(plan),
      text: () =>
        `${renderRolloutPlan(plan, { style: context.outStyle, width: context.out.columns, states, now })}Nothing was started: no host is left to deploy.\n`,
      line: true,
    });
    return planExitCode(plan.hosts);
  }
  if (options.yes !== true) {
    const { err, errStyle: style } = context;
    err.write(renderRolloutPlan(plan, { style, width: err.columns, states, now }));
    const question = `Have the deployer roll this out to ${count(ordered.length, "host")}?`;
    if (!(await confirm(context, question, signal))) {
      err.write("Nothing was started.\n");
      return exitCodes.interrupted;
    }
  }
  // What was shown, also when something newer was built while somebody read it.
  const pinned = request.build === undefined ? { ...request, commit: plan.commit } : request;
  const started = await rollouts.askForRollout(repo, pinned, signal);
  if (started === undefined) throw noDeployer(repo);
  if (started.type !== "accepted") throw notAnswered(started);
  const { rollout: id, waitsFor } = started;
  // Only for completion.
  const ids = await rollouts.rolloutIds(signal).catch(() => [id]);
  await rememberNames(context.environment, { rollouts: ids.slice(0, 50) });
  if (options.detach === true) {
    answer(context, { json: () => ({ rollout: id, waitsFor }), text: () => `${id}\n`, line: true });
    return exitCodes.success;
  }
  const waits = waitsFor === undefined ? "" : `, after rollout ${waitsFor}`;
  if (!context.json) context.err.write(`The deployer of ${repo} runs this as rollout ${id}${waits}.\n`);
  return watchRollout(context, parts, id, options);
}

async function askForPlan(
  rollouts: RolloutBus,
  repo: RepoName,
  request: StartRequest,
  signal: AbortSignal,
): Promise<StartAnswer | undefined> {
  try {
    return await rollouts.askForRollout(repo, { ...request, planOnly: true }, signal);
  } catch (error) {
    // Permissions that an earlier release printed know no deployer.
    if (hasCode(error, "NATS_PERMISSION")) return undefined;
    throw error;
  }
}

export const noDeployer = (repo: RepoName): HomelabError =>
  new HomelabError("unavailable", `no deployer answers for ${repo}`, {
    code: "NO_DEPLOYER",
    hint: "see whether the service runs, or name hosts: homelab-deploy deploy HOST, one after another",
  });

async function showPlan(
  context: Context,
  { bus, changes: readChanges, signal }: StartParts,
  repo: RepoName,
  plan: RolloutPlan,
): Promise<number> {
  const { out, outStyle: style, clock } = context;
  const states = new Map((await bus.hostStates(signal, repo)).map((state) => [state.host, state]));
  const changing = plan.hosts.filter(({ leftOut }) => leftOut !== "unchanged");
  const changes = await readChanges(changing.map(({ host, from, path }) => ({ host, from, to: path })));
  answer(context, {
    json: () => ({ ...planJson(plan), changes }),
    text: () =>
      `${renderRolloutPlan(plan, { style, width: out.columns, states, now: clock.now() })}${renderPlanChanges(changes, style)}`,
    line: true,
  });
  return planExitCode(plan.hosts);
}

const planJson = ({ commit, waves, hosts, policy }: RolloutPlan): object => ({
  commit,
  waves,
  hosts,
  policy,
});

const leftOutCodes = {
  unchanged: exitCodes.success,
  absent: exitCodes.unavailable,
  held: exitCodes.refused,
  refused: exitCodes.refused,
} as const;

/** The most serious of several hosts' exit codes: 4 before 3 before 0. */
export const planExitCode = (hosts: readonly Pick<PlannedRolloutHost, "leftOut">[]): number =>
  worstExitCode([
    exitCodes.success,
    ...hosts.flatMap(({ leftOut }) => (leftOut === undefined ? [] : [leftOutCodes[leftOut]])),
  ]);

function notAnswered(given: StartAnswer): HomelabError {
  if (given.type !== "refused") {
    return new HomelabError(
      "unavailable",
      `the deployer answered with ${given.type}, which was not asked for`,
      {
        code: "DEPLOYER_ANSWER",
        hint: "upgrade the deployer and this command to the same release",
      },
    );
  }
  const { code, detail, hint } = given;
  const known = deployCodeNames.find((each) => each === code);
  return known === undefined
    ? new HomelabError("refused", `the deployer refuses: ${detail}`, { code, hint })
    : refusalError({ code: known, detail: `the deployer refuses: ${detail}` }, hint);
}
