// `deploy`: from names and selectors to a rollout that the deployer runs, or to orders of our own.
import { HomelabError } from "../../base/errors.ts";
import { decidePlan, type HostFacts, type PlanSpecification } from "../../deploy/ordering/decide-plan.ts";
import { findBuild } from "../../fleet/find-build.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import { fullName, type RepoName } from "../../protocol/names.ts";
import type { StartRequest } from "../../protocol/rollout/start-request.ts";
import { decideRequest, requester } from "../builds/decide-request.ts";
import type { Context } from "../context.ts";
import { openDeploy, type DeploySession } from "../session/connect-deploy.ts";
import { loadCommandConfig } from "../session/connect.ts";
import type { HostSelection } from "./choose-hosts.ts";
import { decideWay, type WayOptions } from "./decide-way.ts";
import { loadOrderKey } from "./order-key.ts";
import { orderHosts, type OrderHostsOptions } from "./order-hosts.ts";
import { readChosen } from "./read-chosen.ts";
import { changeReader, readPlanChanges, type ChangingHost, type PlanChanges } from "./read-plan-changes.ts";

export interface DeployCommandOptions extends OrderHostsOptions, WayOptions, HostSelection {
  readonly repo?: string;
  readonly commit?: string;
  /** True to build first. */
  readonly build?: string | true;
  readonly reboot?: boolean;
  readonly atOnce?: boolean;
}

export async function runDeployCommand(
  context: Context,
  names: readonly string[],
  options: DeployCommandOptions,
): Promise<number> {
  requireHosts(names, options);
  let build = options.build === true ? undefined : options.build;
  if (options.build === true && options.plan !== true) {
    const built = await buildFirst(context, names, options);
    if (built.exitCode !== exitCodes.success) return built.exitCode;
    build = built.id;
  }
  await using session = await openDeploy(context);
  const facts = await readChosen(
    session,
    { hosts: names, select: options, repo: options.repo, commit: options.commit, build },
    session.signal,
  );
  const config = await loadCommandConfig(context);
  const changes = (hosts: readonly ChangingHost[]): Promise<PlanChanges> =>
    readPlanChanges(hosts, changeReader(context, config), session.signal);
  const way = decideWay(
    facts.map(({ address }) => address),
    options,
  );
  const say = (text: string): void => void (context.json || context.err.write(`${text}\n`));
  if (way.type === "rollout") {
    const code = await askDeployer(context, { ...session, changes }, way.repo, facts, { ...options, build });
    if (code !== undefined) return code;
    say(`No deployer answers for ${way.repo}: this command orders host after host.`);
  } else if (way.why !== undefined) say(`This command orders host after host: ${way.why}.`);
  if (options.atOnce === true) {
    throw new HomelabError(
      "usage",
      "--at-once works in rollouts only, and this command deploys one host after another",
      {
        code: "BAD_ARGUMENTS",
        hint: "leave it out",
      },
    );
  }
  const specification: PlanSpecification = {
    kind: "activate",
    action: options.boot === true ? "boot" : "switch",
    reboot: options.reboot === true,
    allowDrift: options.allowDrift === true,
  };
  const planned = decidePlan(facts, specification, context.clock.now());
  const signer = () => loadOrderKey(options.key, context.environment);
  return await orderHosts(context, { ...session, signer, changes }, planned, specification, options);
}

function requireHosts(
  names: readonly string[],
  { all, tier, role, label, detach, plan }: DeployCommandOptions,
): void {
  const usage = (message: string, hint: string): HomelabError =>
    new HomelabError("usage", message, { code: "BAD_ARGUMENTS", hint });
  if (all === true && names.length > 0) {
    throw usage("--all and names of hosts exclude each other", "omit one of them");
  }
  if (names.length === 0 && all !== true && tier === undefined && role === undefined && label === undefined) {
    throw usage("no host is named", "name hosts, or use --all, --tier, --role or --label");
  }
  if (detach === true && plan === true) {
    throw usage("--plan starts nothing that one could detach from", "omit one of them");
  }
}

/** The hosts that are chosen now; what was built may be another commit than what is the tip by then. */
async function buildFirst(
  context: Context,
  names: readonly string[],
  options: DeployCommandOptions,
): Promise<{ readonly exitCode: number; readonly id: string }> {
  const [{ openReader }, { watchBuild }, { requestDigest }] = await Promise.all([
    import("../session/connect-reader.ts"),
    import("../builds/watch-build.ts"),
    import("../../protocol/request-digest.ts"),
  ]);
  const chosen = await chosenNames(context, names, options);
  const { target, request } = decideRequest(chosen, { priority: "interactive", repo: options.repo }, context);
  await using session = await openReader(context);
  session.handOver();
  const exitCode = await watchBuild(
    // What programs read is about the deployment.
    context.json ? { ...context, json: false, out: context.err, outStyle: context.errStyle } : context,
    session.reader,
    request.id,
    { quiet: context.json },
    {
      submit: async (signal) => session.reader.submit(target, request, signal),
      about: requestDigest(target, request),
    },
  );
  return { exitCode, id: request.id };
}

async function chosenNames(
  context: Context,
  names: readonly string[],
  options: DeployCommandOptions,
): Promise<readonly string[]> {
  await using session = await openDeploy(context);
  const facts = await readChosen(
    session,
    { hosts: names, select: options, repo: options.repo },
    session.signal,
  );
  return facts.map(({ address }) => fullName(address));
}

type AskOptions = Omit<DeployCommandOptions, "build"> & { readonly build?: string };

/** Undefined where no deployer answers. */
async function askDeployer(
  context: Context,
  session: DeploySession & { readonly changes: (hosts: readonly ChangingHost[]) => Promise<PlanChanges> },
  repo: RepoName,
  facts: readonly HostFacts[],
  options: AskOptions,
): Promise<number | undefined> {
  const { all, tier, role, label, commit, build, reason, reboot, atOnce } = options;
  const isAll = all === true && tier === undefined && role === undefined && label === undefined;
  const request: StartRequest = {
    by: requester().slice(0, 64),
    reason,
    // All are those that the deployer knows when it plans.
    hosts: isAll ? undefined : facts.map(({ address }) => address.host),
    commit,
    build: build === undefined ? undefined : await findBuild(session.reader, build, session.signal),
    reboot,
    atOnce,
  };
  const { startRollout } = await import("../rollouts/start-rollout.ts");
  return startRollout(context, session, repo, request, options);
}
