// The commands that we tell people to run next. Every name in them was validated, so they need no quoting.
import type { BuildState } from "../protocol/build-state.ts";
import type { HostRef } from "../protocol/events.ts";
import type { BuildId } from "../protocol/names.ts";
import type { RolloutId } from "../protocol/rollout/rollout-events.ts";
import type { RolloutAction } from "./rollout-actions.ts";

const program = "homelab-deploy";

export const failedLogsCommand = (build: BuildId, { host }: HostRef): string =>
  `${program} logs ${build} ${host} --failed`;
export const followCommand = (build: BuildId): string => `${program} logs ${build} --follow`;
export const showCommand = (build: BuildId): string => `${program} builds show ${build}`;
export const cancelCommand = (build: BuildId): string => `${program} builds cancel ${build}`;
export const resumeRolloutCommand = (rollout: RolloutId): string => `${program} rollouts resume ${rollout}`;
export const abortRolloutCommand = (rollout: RolloutId): string => `${program} rollouts abort ${rollout}`;
export const retryRolloutCommand = (rollout: RolloutId): string => `${program} rollouts retry ${rollout}`;
export const doctorCommand = `${program} doctor`;
export const verifyCommand = `${program} cache verify --all`;

type HostOf = Pick<HostRef, "repo" | "host">;
export const deployCommand = ({ repo, host }: HostOf): string => `${program} deploy ${repo}/${host}`;
export const rollbackCommand = ({ repo, host }: HostOf): string => `${program} rollback ${repo}/${host}`;
export const rebootCommand = ({ repo, host }: HostOf): string => `${program} reboot ${repo}/${host}`;
export const diffCommand = ({ repo, host }: HostOf): string => `${program} hosts diff ${repo}/${host}`;
/** Whoever runs it fills in why. */
export const holdCommand = ({ repo, host }: HostOf): string =>
  `${program} hosts hold ${repo}/${host} --reason 'WHY'`;
export const releaseCommand = ({ repo, host }: HostOf): string => `${program} hosts release ${repo}/${host}`;

/**
 * @param actions several are a choice: `pause|abort`
 * @param id whole, or its first characters
 */
export const rolloutCommand = (
  actions: "show" | RolloutAction | readonly RolloutAction[],
  id: string,
): string => `${program} rollouts ${[actions].flat().join("|")} ${id}`;

/** What to try first where a builder has just started. */
export const firstCommands = [
  { command: `${program} build --all`, does: "builds every host" },
  { command: `${program} watch`, does: "shows the build that runs" },
  { command: `${program} status`, does: "shows the fleet on one screen" },
] as const;

const mostNamed = 8;

/**
 * One command for each repo that builds these hosts again. `same-commit` is for what may pass by itself; a host's
 * own fault needs a new commit, so its branch is built as it is then, where a branch was built.
 */
export function retryCommands(
  state: BuildState,
  hosts: readonly HostRef[],
  from: "same-commit" | "branch",
): string[] {
  return state.sources.flatMap(({ repo, branch, commit, overrides }) => {
    // There is no option for them.
    if (overrides !== undefined) return [];
    const names = hosts.filter((host) => host.repo === repo).map(({ host }) => host);
    if (names.length === 0) return [];
    const which = names.length > mostNamed ? "--all" : names.join(" ");
    const source = from === "branch" && branch !== undefined ? `--branch ${branch}` : `--rev ${commit}`;
    return [`${program} build ${which} --repo ${repo} ${source}`];
  });
}
