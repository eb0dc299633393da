// Which branch an update uses. Work of people is never overwritten: a branch whose tip is not ours is left alone.
import { parseBranchName, type BranchName, type Commit } from "../../protocol/names.ts";

export const branchPrefix = "flake-update/";

/** `flake-update/2026-11-23`, in UTC. */
export const branchOfDay = (now: Date): BranchName =>
  parseBranchName(`${branchPrefix}${now.toISOString().slice(0, 10)}`);

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/**
 * Whether a branch can be deleted: of ours alone, nobody's pull request, and of a day that has been over for an hour,
 * so that no run that is still about it has pushed it lately. The dates of our commits say nothing about when that was.
 */
export function isForgotten({ name, isOurs }: UpdateBranch, needed: ReadonlySet<string>, now: Date): boolean {
  const day = /^flake-update\/(?<day>\d{4}-\d{2}-\d{2})(?:-\d+)?$/.exec(name)?.groups?.["day"];
  if (!isOurs || needed.has(name) || day === undefined) return false;
  // An impossible date is never over.
  return now.getTime() - Date.parse(`${day}T00:00:00Z`) >= dayMs + hourMs;
}

/** A branch of the remote below our prefix. */
export interface UpdateBranch {
  readonly name: BranchName;
  readonly tip: Commit;
  /** All commits that it adds to the base branch were made by updates. */
  readonly isOurs: boolean;
}

export type BranchChoice =
  /** It is there with exactly our commit. */
  | { readonly type: "adopt"; readonly name: BranchName }
  /** From this value to our commit; from nothing when it is new. */
  | { readonly type: "push"; readonly name: BranchName; readonly from: Commit | undefined };

/** Where parts of the update of a day are for builders while it is searched for what breaks it. */
export const searchBranchOf = (day: BranchName): BranchName => parseBranchName(`${day}-search`);

/** Whether it is one of these: nobody needs it once the search is over. */
export const isSearchBranch = (name: string): boolean => ofSearch.test(name);

const mostSuffixes = 50;

const ofSearch = new RegExp(`^${branchPrefix}\\d{4}-\\d{2}-\\d{2}-search(?:-\\d+)?$`);
const ofSomeDay = new RegExp(`^${branchPrefix}\\d{4}-\\d{2}-\\d{2}(?:-\\d+)?$`);

/**
 * The branch that has the commit, of whatever day, or else the same lock on an older base: an update that comes to the
 * same again keeps its pull request. Otherwise that of the day, or with `-2`, `-3`, … where people have worked on it.
 *
 * @param sameLock the commits of branches whose lock is that of the candidate
 */
export function chooseBranch(
  day: BranchName,
  candidate: Commit,
  branches: readonly UpdateBranch[],
  sameLock: ReadonlySet<Commit> = new Set(),
): BranchChoice {
  const ofUpdates = branches.filter(({ name }) => ofSomeDay.test(name));
  const same = ofUpdates.find(({ tip }) => tip === candidate);
  if (same !== undefined) return { type: "adopt", name: same.name };
  const older = ofUpdates.find(({ isOurs, tip }) => isOurs && sameLock.has(tip));
  if (older !== undefined) return { type: "push", name: older.name, from: older.tip };
  for (let number = 1; number <= mostSuffixes; number++) {
    const name = number === 1 ? day : parseBranchName(`${day}-${number}`);
    const there = branches.find((branch) => branch.name === name);
    if (there === undefined) return { type: "push", name, from: undefined };
    if (there.isOurs) return { type: "push", name, from: there.tip };
  }
  throw new RangeError(`${mostSuffixes} branches of ${day} hold work of others`);
}
