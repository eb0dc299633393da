// Which revision of a guilty input is the first that breaks hosts. Only these hosts are built, each time with all
// else as it was when the input was found guilty.
import type { Revision } from "../../git/git.ts";
import type { Commit, HostName } from "../../protocol/names.ts";
import type { SearchBudget } from "./isolate.ts";
import { judgeRevision, type Breakage } from "./breakage.ts";
import { probeCommit, type ProbeOptions } from "./probe-commit.ts";
import { searchRevisions, type RevisionsSearched, type RevisionVerdict } from "./search-revisions.ts";

/** What is known of the revisions of inputs, by git and Nix. */
export interface InputHistory {
  /** Those that came to an input between two commits of the flake. */
  revisions(input: string, between: CommitPair, signal: AbortSignal): Promise<InputRevisions>;
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
  /** Of the probes, those that nobody could judge. */
  readonly skipped: number;
  /** Why no more is known. Has text from outside. */
  readonly note?: string;
}

export interface BisectOptions extends ProbeOptions {
  readonly history: InputHistory;
  /** A commit of the base with the input at the revision, where builders find it. */
  readonly offer: (input: string, rev: Commit, signal: AbortSignal) => Promise<Commit>;
  readonly budget: SearchBudget;
}

export interface GuiltyInput {
  readonly input: string;
  readonly between: CommitPair;
  readonly breakage: Breakage;
  /** Whether all hosts are proven to build with the old revision, and to break with the new one. */
  readonly isOldGood: boolean;
  readonly isNewBad: boolean;
}

export async function bisectInput(
  options: BisectOptions,
  { input, between, breakage, isOldGood, isNewBad }: GuiltyInput,
  signal: AbortSignal,
): Promise<BisectedInput> {
  const { history, offer, budget, clock, log } = options;
  const isOver = (asked: number): boolean => asked >= budget.parts || clock.monotonic() > budget.deadline;
  if (isOver(0)) return { input, probes: 0, skipped: 0, note: "there was no time left to look" };
  const found = await history.revisions(input, between, signal);
  if (found.type === "unreachable") return { input, probes: 0, skipped: 0, note: found.reason };

  const { before, revisions, old } = found;
  const count = revisions.length;
  const hosts: readonly HostName[] = [...breakage.keys()];
  const revAt = (number: number): Commit | undefined => (number === 0 ? before : revisions[number - 1]?.rev);
  let asked = 0;
  async function test(number: number): Promise<RevisionVerdict | undefined> {
    const rev = revAt(number);
    if (rev === undefined || isOver(asked)) return undefined;
    asked++;
    const probe = {
      offer: (until: AbortSignal) => offer(input, rev, until),
      hosts,
      question: `does it build with ${input} at ${rev.slice(0, 12)}?`,
    };
    const verdict = judgeRevision(await probeCommit(options, probe, signal), breakage);
    log.info({ input, rev, verdict }, "asked about a revision of the guilty input");
    return verdict;
  }

  const known = new Map<number, RevisionVerdict>([
    ...(isOldGood && before === old ? [[0, "good"] as const] : []),
    ...(isNewBad ? [[count, "bad"] as const] : []),
  ]);
  const searched = await searchRevisions({ count, known, test });
  return conclude(input, found, searched);
}

function conclude(
  input: string,
  { before, revisions, compareUrl }: Extract<InputRevisions, { type: "found" }>,
  { good, bad, probes, skipped, end }: RevisionsSearched,
): BisectedInput {
  const result = { input, probes, skipped };
  const lastGood = good === undefined ? undefined : good === 0 ? before : revisions[good - 1]?.rev;
  const worst = bad === undefined ? undefined : revisions[bad - 1];
  if (good === undefined || bad === undefined || lastGood === undefined || worst === undefined) {
    return { ...result, note: unclear(end, bad) };
  }
  const url = compareUrl(lastGood, worst.rev);
  const range = { ...result, lastGood, compareUrl: url };
  if (end === "found") return { ...range, firstBad: worst };
  const note =
    end === "skipped" ? "those between could not be judged" : "there was no time left to look further";
  return { ...range, suspects: { count: bad - good, last: worst }, note };
}

function unclear(end: RevisionsSearched["end"], bad: number | undefined): string {
  if (end === "stopped") return "there was no time left to look";
  if (end === "skipped") return "its oldest or its newest revision could not be judged";
  return bad === undefined
    ? "its newest revision did not break the hosts when it was built again"
    : "the revision before its first new one breaks the hosts too, so its revisions do not go from good to bad";
}
