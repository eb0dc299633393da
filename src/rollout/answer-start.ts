// Whether a requested rollout is begun, and with which commit and hosts.
import { HomelabError } from "../base/errors.ts";
import type { HostFacts } from "../deploy/ordering/decide-plan.ts";
import type { BranchName, BuildId, Commit, HostName } from "../protocol/names.ts";
import { mostRolloutHosts, type RolloutId } from "../protocol/rollout/rollout-events.ts";
import type { RolloutPolicy } from "../protocol/rollout/rollout-policy.ts";
import { foldRollout, type Rollout } from "../protocol/rollout/rollout.ts";
import type { StartAnswer, StartRequest } from "../protocol/rollout/start-request.ts";
import type { NewRollout } from "./decide-start.ts";
import type { DeployerParts } from "./deployer-parts.ts";
import type { KnownRollout } from "./known-rollouts.ts";
import type { RolloutPlan } from "./plan-rollout.ts";
import { readFacts } from "./read-facts.ts";

/** What a plan is made from. */
export type PlannedFor = Pick<Rollout, "wanted" | "commit" | "build" | "policy" | "trigger">;

export interface StartSources {
  readonly parts: DeployerParts;
  readonly readKnown: () => Promise<readonly KnownRollout[]>;
  /** @param seen what was just read of hosts */
  readonly plan: (rollout: PlannedFor, seen: readonly HostFacts[]) => Promise<RolloutPlan>;
  readonly create: (
    rollout: NewRollout & Pick<Rollout, "retryOf">,
    asked: { readonly by: string; readonly reason?: string; readonly policy: RolloutPolicy },
  ) => Promise<RolloutId>;
}

/** @throws HomelabError `unavailable` when NATS cannot be reached; whatever else is wrong is an answer */
export async function answerStart(
  { parts, readKnown, plan, create }: StartSources,
  request: StartRequest,
  signal: AbortSignal,
): Promise<StartAnswer> {
  const { settings } = parts;
  try {
    const retried = await retriedOf(parts, request, signal);
    const target = await findTarget(parts, request, retried, signal);
    const hosts = request.hosts ?? (retried === undefined ? target.hosts : notThere(retried));
    if (hosts.length === 0)
      return refused("NO_HOSTS", "there is no host to be deployed", "list them: homelab-deploy hosts");
    if (hosts.length > mostRolloutHosts) throw tooMany(hosts.length);
    const policy: RolloutPolicy = {
      ...settings.policy,
      atOnce: request.atOnce ?? settings.policy.atOnce,
      reboots: request.reboot === true ? "in-window" : settings.policy.reboots,
    };
    const { commit, build } = target;
    await requireSigned(parts, commit, signal);
    if (request.planOnly === true) {
      const planned = await plan({ wanted: hosts, commit, build, policy, trigger: "person" }, target.facts);
      return { type: "plan", commit, waves: [...planned.waves], hosts: [...planned.hosts], policy };
    }
    const waitsFor = (await readKnown()).find(({ end }) => end === undefined)?.id;
    const { by, reason, retryOf } = request;
    const rollout = await create(
      { trigger: "person", commit, build, hosts, retryOf },
      { by, reason, policy },
    );
    return waitsFor === undefined ? { type: "accepted", rollout } : { type: "accepted", rollout, waitsFor };
  } catch (error) {
    if (!(error instanceof HomelabError) || error.kind === "unavailable") throw error;
    return refused(error.code ?? "REFUSED", error.message, error.hint);
  }
}

/** To those who ask, a git server that does not answer is the reason, and not that nobody does. */
async function requireSigned(
  { verifyCommit }: Pick<DeployerParts, "verifyCommit">,
  commit: Commit,
  signal: AbortSignal,
): Promise<void> {
  try {
    await verifyCommit?.(commit, signal);
  } catch (error) {
    if (!(error instanceof HomelabError) || error.kind !== "unavailable") throw error;
    const { code, hint } = error;
    throw new HomelabError(
      "failed",
      `it cannot be verified who signed ${commit.slice(0, 7)}: ${error.message}`,
      {
        code,
        hint,
        cause: error,
      },
    );
  }
}

const tooMany = (count: number): HomelabError =>
  new HomelabError(
    "refused",
    `a rollout is for ${mostRolloutHosts} hosts at the most, and these are ${count}`,
    {
      code: "TOO_MANY_HOSTS",
      hint: "choose some: --tier, --role or --label",
    },
  );

const refused = (code: string, detail: string, hint?: string): StartAnswer => ({
  type: "refused",
  code,
  detail: detail.slice(0, 2000),
  ...(hint === undefined ? {} : { hint: hint.slice(0, 2000) }),
});

/** Also finds one from so long ago that nothing else depends on it. */
async function retriedOf(
  { repo, rollouts }: DeployerParts,
  { retryOf }: StartRequest,
  signal: AbortSignal,
): Promise<Rollout | undefined> {
  if (retryOf === undefined) return undefined;
  // One that was begun with another key counts too: a person has seen it, and sees the plan.
  const { events, foreign } = await rollouts.readRollout(retryOf, signal);
  const rollout = foldRollout(foreign ?? events);
  if (rollout?.repo !== repo) {
    throw new HomelabError("usage", `there is no rollout ${retryOf} of this repo`, {
      code: "UNKNOWN_ROLLOUT",
      hint: "list them: homelab-deploy rollouts",
    });
  }
  if (rollout.end === undefined) {
    throw new HomelabError("refused", `the rollout ${retryOf} is not over`, {
      code: "ROLLOUT_RUNS",
      hint: `homelab-deploy rollouts resume ${retryOf}, or abort it first`,
    });
  }
  return rollout;
}

const notThere = ({ hosts, wanted }: Rollout): readonly HostName[] =>
  wanted.filter((host) => {
    const status = hosts.get(host)?.status;
    return status !== "done" && status !== "unchanged";
  });

interface Target {
  readonly commit: Commit;
  readonly build?: BuildId;
  /** All hosts that may be deployed with it: those that ever reported. */
  readonly hosts: readonly HostName[];
  readonly facts: readonly HostFacts[];
}

/** The commit of a retried rollout, or the one that was asked for; without either, the newest that has a statement. */
async function findTarget(
  { repo, settings, reader, bus }: DeployerParts,
  { commit: specification, build }: StartRequest,
  retried: Rollout | undefined,
  signal: AbortSignal,
): Promise<Target> {
  const commit = specification ?? (build === undefined ? retried?.commit : undefined);
  const facts = await readFacts(
    { reader, bus },
    (known) => known.filter((address) => address.repo === repo),
    { commit, build },
    signal,
  );
  const stated = facts
    .flatMap(({ stated: closure }) =>
      closure?.statement.branch === settings.branch ? [closure.statement] : [],
    )
    .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
  const [newest] = stated;
  if (newest === undefined) throw notStated(settings.branch, commit ?? build);
  const hosts = facts.filter(({ state }) => state !== undefined).map(({ address }) => address.host);
  return { commit: newest.commit, build, hosts, facts };
}

const notStated = (branch: BranchName, specification: string | undefined): HomelabError =>
  new HomelabError(
    "refused",
    specification === undefined
      ? `no builder has stated anything of the branch ${branch}: nothing was built there and proven to be cached`
      : `no builder has stated ${specification} as the tip of the branch ${branch}`,
    {
      code: "BAD_STATEMENT",
      hint: "build it: homelab-deploy build --all, with cache.verifyBuilds and a statement key",
    },
  );
