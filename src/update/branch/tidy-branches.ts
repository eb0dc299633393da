import type { Log } from "../../base/log.ts";
import type { Forge } from "../../forge/forge.ts";
import type { Repository } from "../../git/git.ts";
import type { Commit } from "../../protocol/names.ts";
import type { Journal } from "../journal.ts";
import type { Source } from "../update.ts";
import { isForgotten } from "./decide-branch.ts";
import { deleteUpdateBranch, updateBranches, type BranchOptions } from "./update-branch.ts";

export interface TidyBranchesOptions extends Pick<Source, "repository" | "branch"> {
  readonly author: BranchOptions["author"];
  readonly journal: Journal;
  readonly forge: Pick<Forge, "pullRequests">;
  readonly clock: { readonly now: () => Date };
  readonly log: Log;
}

/**
 * Deletes branches that earlier runs left: of proposals that were declined, and of runs that were never resumed.
 * Whoever calls holds the lease, so no other run is about them. One that moves meanwhile is left alone.
 */
export async function tidyBranches(options: TidyBranchesOptions, signal: AbortSignal): Promise<void> {
  const { repository, forge, journal, branch, clock, log } = options;
  const open = await forge.pullRequests({ state: "open" }, signal);
  const ours = [journal.last("started")?.branch, journal.last("branch-pushed")?.branch];
  const needed = new Set<string>([
    ...open.map(({ head }) => head),
    ...ours.filter((name) => name !== undefined),
  ]);
  const forgotten = (await updateBranches(options, new Set(), signal)).filter((each) =>
    isForgotten(each, needed, clock.now()),
  );
  if (forgotten.length === 0) return;
  const tip = await repository.mirror.resolveBranch(branch, signal);
  for (const { name, tip: commit } of forgotten) {
    if (!(await isOnTop(repository, commit, tip, signal))) continue;
    const outcome = await deleteUpdateBranch(repository, name, commit, signal);
    if (outcome === "deleted") log.info({ branch: name }, "deleted a branch of an update that nobody needs");
  }
}

/** Nothing but its newest commit is new: below it could be work of people. */
async function isOnTop(
  repository: Repository,
  commit: Commit,
  tip: Commit,
  signal: AbortSignal,
): Promise<boolean> {
  const { parents } = await repository.facts(commit, signal);
  const [parent] = parents;
  return parents.length === 1 && parent !== undefined && repository.isAncestor(parent, tip, signal);
}
