import { HomelabError } from "../../base/errors.ts";
import type { CommitFacts, Repository } from "../../git/git.ts";
import { parseBranchName, type BranchName, type Commit } from "../../protocol/names.ts";
import type { Candidate } from "../candidate.ts";
import { isOurCommit } from "../commit-message.ts";
import {
  branchPrefix,
  chooseBranch,
  isSearchBranch,
  searchBranchOf,
  type BranchChoice,
  type UpdateBranch,
} from "./decide-branch.ts";
import type { Journal } from "../journal.ts";
import type { Publishing } from "../update.ts";

export interface BranchOptions {
  readonly repository: Pick<Repository, "push" | "remoteRefs" | "readRemote">;
  readonly author: { readonly email: string };
}

export interface ClaimOptions extends BranchOptions, Pick<Publishing, "branchesOfPeople"> {
  readonly repository: Pick<Repository, "push" | "remoteRefs" | "readRemote" | "readFile">;
  /** The path of flake.lock in the repository. */
  readonly lockPath: string;
  readonly journal: Journal;
}

const heads = "refs/heads/";
const attempts = 5;

/**
 * Puts the candidate on the update's branch, which is where builders find it.
 *
 * @throws HomelabError `refused` `BRANCH_REFUSED` when the remote allows no such branch.
 */
export async function claimBranch(
  options: ClaimOptions,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<BranchName> {
  const { journal } = options;
  const { commit } = candidate;
  const day = requireDay(journal);
  const choose: Choose = async (branches) =>
    chooseBranch(day, commit, branches, await withLockOf(options, commit, branches, signal));
  const { name, choice } = await pushTo(options, commit, choose, signal);
  const before = choice.type === "adopt" ? commit : (choice.from ?? "nothing");
  await journal.append({ step: "branch-pushed", branch: name, commit, before });
  return name;
}

/** Puts a part of the update where builders find it; the update's own branch stays as it is. */
export async function offerPart(
  options: ClaimOptions,
  { commit }: Pick<Candidate, "commit">,
  signal: AbortSignal,
): Promise<void> {
  const name = searchBranchOf(requireDay(options.journal));
  await pushTo(options, commit, async (branches) => chooseBranch(name, commit, branches), signal);
}

/** Only for the holder of the lease: nobody else searches. */
export async function dropSearchBranches(
  { repository, author }: BranchOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const { name, tip, isOurs } of await updateBranches({ repository, author }, new Set(), signal)) {
    if (isOurs && isSearchBranch(name)) await deleteUpdateBranch(repository, name, tip, signal);
  }
}

function requireDay(journal: ClaimOptions["journal"]): BranchName {
  const day = journal.last("started")?.branch;
  if (day === undefined) throw new Error("the run was not begun");
  return day;
}

type Choose = (branches: readonly UpdateBranch[]) => Promise<BranchChoice>;

async function pushTo(
  options: ClaimOptions,
  commit: Commit,
  choose: Choose,
  signal: AbortSignal,
): Promise<{ readonly name: BranchName; readonly choice: BranchChoice }> {
  const { repository } = options;
  const fixed = new Set(await options.branchesOfPeople(signal));
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const choice = await choose(await updateBranches(options, fixed, signal));
    if (choice.type === "push") {
      const ref = `${heads}${choice.name}`;
      const pushed = await repository.push([{ ref, from: choice.from, to: commit }], signal);
      if (pushed.type === "refused" && choice.from !== undefined) {
        // A rule may allow new branches, and none that are replaced.
        fixed.add(choice.name);
        continue;
      }
      if (pushed.type === "refused") {
        throw new HomelabError("refused", `the remote refuses the branch ${choice.name}: ${pushed.reason}`, {
          code: "BRANCH_REFUSED",
          hint: `allow the update's user to push branches below ${branchPrefix}`,
        });
      }
      if (pushed.type === "moved") continue;
    }
    return { name: choice.name, choice };
  }
  throw new HomelabError("unavailable", "somebody else keeps moving the branches of updates", {
    code: "BRANCH_MOVES",
    hint: "the next run tries again",
  });
}

/** The commits of the branches that have the candidate's lock. */
async function withLockOf(
  { repository, lockPath }: ClaimOptions,
  candidate: Commit,
  branches: readonly UpdateBranch[],
  signal: AbortSignal,
): Promise<ReadonlySet<Commit>> {
  const same = new Set<Commit>();
  const lock = await repository.readFile(candidate, lockPath, signal);
  for (const { tip, isOurs: isReplaceable } of branches) {
    if (isReplaceable && (await repository.readFile(tip, lockPath, signal)) === lock) same.add(tip);
  }
  return same;
}

/** The remote's branches below our prefix, each with whether it may be replaced: it holds work of ours only. */
export async function updateBranches(
  { repository, author }: BranchOptions,
  fixed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<UpdateBranch[]> {
  const refs = await repository.remoteRefs(`${heads}${branchPrefix}`, signal);
  const branches = await Promise.all(
    [...refs].map(async ([ref, seen]): Promise<UpdateBranch[]> => {
      const name = parseBranchName(ref.slice(heads.length));
      if (fixed.has(name)) return [{ name, tip: seen, isOurs: false }];
      const read = await repository.readRemote(ref, signal);
      // Without one it disappeared in the meantime.
      return read === undefined ? [] : [{ name, tip: read.commit, isOurs: isOurs(read.facts, author.email) }];
    }),
  );
  return branches.flat();
}

/** One commit of ours on top of something; anything else is somebody's work. */
const isOurs = (facts: CommitFacts, email: string): boolean =>
  isOurCommit(facts, email) && facts.changedFiles.every((path) => path.endsWith("flake.lock"));

/** Deletes a branch of ours as it was last seen; one that has moved is left alone. */
export async function deleteUpdateBranch(
  repository: Pick<Repository, "push">,
  name: BranchName,
  tip: Commit,
  signal: AbortSignal,
): Promise<"deleted" | "left"> {
  const { type } = await repository.push([{ ref: `${heads}${name}`, from: tip, to: undefined }], signal);
  return type === "pushed" ? "deleted" : "left";
}
