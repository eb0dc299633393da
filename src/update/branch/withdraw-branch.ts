// A run without a verdict leaves the remote as it found it: its branch was only there for builders.
import { parseBranchName, type BranchName, type Commit } from "../../protocol/names.ts";
import type { Repository } from "../../git/git.ts";
import type { Journal, JournalEntry } from "../journal.ts";

export interface WithdrawOptions {
  readonly repository: Pick<Repository, "push">;
  readonly journal: Pick<Journal, "entries">;
}

/** A branch that has moved meanwhile, or that is being landed from, is left alone. */
export async function withdrawBranch(
  { repository, journal }: WithdrawOptions,
  signal: AbortSignal,
): Promise<void> {
  const pushed = toWithdraw(journal.entries);
  if (pushed === undefined) return;
  const { branch, commit, before } = pushed;
  await repository.push([{ ref: `refs/heads/${branch}`, from: commit, to: before }], signal);
}

interface Withdrawal {
  readonly branch: BranchName;
  /** Where it is now, and where it was before this run; undefined if it did not exist. */
  readonly commit: Commit;
  readonly before: Commit | undefined;
}

/** Undefined where this run pushed nothing. */
export function toWithdraw(entries: readonly JournalEntry[]): Withdrawal | undefined {
  const last = entries.findLast((entry) => entry.step === "branch-pushed");
  if (last?.step !== "branch-pushed") return undefined;
  if (entries.some((entry) => entry.step === "landing" && entry.commit === last.commit)) return undefined;
  // Parts of the update were there one after the other: what counts is the first of them.
  const first = entries.find((entry) => entry.step === "branch-pushed" && entry.branch === last.branch);
  const before = first?.step === "branch-pushed" ? first.before : undefined;
  if (before === undefined || before === last.commit) return undefined;
  return {
    branch: parseBranchName(last.branch),
    commit: last.commit,
    before: before === "nothing" ? undefined : before,
  };
}
