// Which revision of a culprit is the first that breaks hosts. Only these hosts are built, each time with all
// else as it was when the input was found to be a culprit.
import type { CommitRelation, Revision } from "../../git/git.ts";
import type { Commit } from "../../protocol/names.ts";
import type { PartJudge } from "./part-judge.ts";
import type { PartVerdict } from "./search-inputs.ts";
import { searchRevisions, type RevisionsSearched, type RevisionVerdict } from "./search-revisions.ts";

/** What is known about the revisions of inputs, by git and Nix. */
export interface InputHistory {
  /** Those that came to an input between two commits of the flake. */
  revisions(input: string, between: CommitPair, signal: AbortSignal): Promise<InputRevisions>;
  /** How the new state of an input stands to the old one. Its own commits, not what is below it. */
  direction(input: string, between: CommitPair, signal: AbortSignal): Promise<CommitRelation>;
  /**
   * The lock that the flake has at a commit, with one input at another revision.
   * @throws HomelabError when Nix cannot lock it.
   */
  lockAt(commit: Commit, input: string, rev: Commit, signal: AbortSignal): Promise<string>;
}

export interface CommitPair {
  readonly base: Commit;
  readonly candidate: Commit;
}

export type InputRevisions =
  | {
      readonly type: "found";
      /** The locked revision of the base. */
      readonly old: Commit;
      /** The first parent of the first revision. */
      readonly before: Commit;
      /** Oldest first; each is the first parent of the next. */
      readonly revisions: readonly Revision[];
      readonly compareUrl: (from: Commit, to: Commit) => string | undefined;
    }
  /** Why, in a clause. Has text from outside. */
  | { readonly type: "unreachable"; readonly reason: string };

/** What was found out about the revisions of an input. */
export interface BisectedInput {
  readonly input: string;
  /** Breaks hosts, and the one before it does not. */
  readonly firstBad?: Revision;
  /** The newest that is known to build. */
  readonly lastGood?: Commit;
  /** Where the first bad one could not be named: it is one of so many after `lastGood`, up to and with this one. */
  readonly suspects?: { readonly count: number; readonly last: Revision };
  /** From `lastGood` to the bad one. */
  readonly compareUrl?: string;
  readonly probes: number;
  /** How many of the probes could not be judged. */
  readonly skipped: number;
  /** Why no more is known. Has text from outside. */
  readonly note?: string;
}

export interface BisectOptions {
  readonly history: Pick<InputHistory, "revisions">;
  /** Says how many parts were built, and why no more are. */
  readonly judge: Pick<PartJudge, "built" | "stopped">;
}

export interface CulpritInput {
  readonly input: string;
  readonly between: CommitPair;
  /** Whether it is proven that all hosts build with the old revision, and that they break with the new one. */
  readonly isOldGood: boolean;
  readonly isNewBad: boolean;
  /** What the hosts come to with the input at a revision; undefined when nobody is to be asked any more. */
  readonly test: (rev: Commit, signal: AbortSignal) => Promise<PartVerdict | undefined>;
}

export async function bisectInput(
  { history, judge }: BisectOptions,
  { input, between, isOldGood, isNewBad, test }: CulpritInput,
  signal: AbortSignal,
): Promise<BisectedInput> {
  if (judge.stopped !== undefined) return { input, probes: 0, skipped: 0, note: ended(judge) };
  const found = await history.revisions(input, between, signal);
  if (found.type === "unreachable") return { input, probes: 0, skipped: 0, note: found.reason };

  const { before, revisions, old } = found;
  const count = revisions.length;
  const revAt = (number: number): Commit | undefined => (number === 0 ? before : revisions[number - 1]?.rev);
  const known = new Map<number, RevisionVerdict>([
    ...(isOldGood && before === old ? [[0, "good"] as const] : []),
    ...(isNewBad ? [[count, "bad"] as const] : []),
  ]);
  const searched = await searchRevisions({
    count,
    known,
    async test(number) {
      const rev = revAt(number);
      const verdict = rev === undefined ? undefined : await test(rev, signal);
      return verdict === "other" ? "skip" : verdict;
    },
  });
  return conclude(input, found, searched, judge);
}

const ended = ({ stopped }: BisectOptions["judge"]): string => `the search ended: ${stopped ?? "unknown"}`;

function conclude(
  input: string,
  { before, revisions, compareUrl }: Extract<InputRevisions, { type: "found" }>,
  { good, bad, probes, skipped, end }: RevisionsSearched,
  judge: BisectOptions["judge"],
): BisectedInput {
  const result = { input, probes, skipped };
  const lastGood = good === undefined ? undefined : good === 0 ? before : revisions[good - 1]?.rev;
  const worst = bad === undefined ? undefined : revisions[bad - 1];
  if (good === undefined || bad === undefined || lastGood === undefined || worst === undefined) {
    return { ...result, note: end === "stopped" ? ended(judge) : unclear(end, bad) };
  }
  const url = compareUrl(lastGood, worst.rev);
  const range = { ...result, lastGood, compareUrl: url };
  if (end === "found") return { ...range, firstBad: worst };
  const note = end === "skipped" ? "those between could not be judged" : ended(judge);
  return { ...range, suspects: { count: bad - good, last: worst }, note };
}

function unclear(end: RevisionsSearched["end"], bad: number | undefined): string {
  if (end === "skipped") return "its oldest or its newest revision could not be judged";
  return bad === undefined
    ? "its newest revision did not break the hosts when it was built again"
    : "the revision before its first new one breaks the hosts too, so its revisions do not go from good to bad";
}
