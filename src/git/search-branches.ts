// Fetches branches for a commit that is at none of their tips. All that are not here yet are fetched together, and what
// fails in halves, so that a few that cannot be fetched cost little and take no others with them.
import type { Clock } from "../base/clock.ts";
import { HomelabError, isUnavailable } from "../base/errors.ts";
import type { Commit } from "../protocol/names.ts";
import type { ExecResult } from "../process/exec.ts";
import type { BareRepository } from "./bare-repository.ts";
import { coalesce } from "./coalesce.ts";
import { distinctTips, groupTips, type Tip } from "./decide-tips.ts";
import { fetchInHalves } from "./fetch-in-halves.ts";
import type { FailedFetch, RemoteBranches } from "./remote-branches.ts";

/** A little less than a request waits for a remote (resolve-request.ts), so that it hears what was found. */
const searchMs = 165_000;
/** With less left of it no fetch is begun. */
const leastMs = 2000;

export interface BranchSearchOptions {
  readonly branches: RemoteBranches;
  readonly repository: Pick<BareRepository, "present" | "keepBranches">;
  /** Gives the result where it failed. */
  fetch(branches: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<ExecResult | undefined>;
  /** The time limit in milliseconds of one fetch. */
  readonly fetchTimeoutMs: number;
  /** Whether our copy was broken and is empty now. */
  repair(signal: AbortSignal): Promise<boolean>;
  /** Branches that were asked for by name. */
  asked(): ReadonlySet<string>;
  readonly clock: Pick<Clock, "monotonic">;
}

export interface SearchResult {
  /** Branches that could not be fetched, or that there was no time for, with the reason; first those that may be later. */
  readonly unread: ReadonlyMap<string, HomelabError>;
  /** Whether some of them are news. */
  readonly isNew: boolean;
}

type FailedAttempt = Omit<FailedFetch, "tip">;

/** Fetches until the commit is here, or nothing is left to be fetched. */
export type BranchSearch = (commit: Commit, signal: AbortSignal) => Promise<SearchResult>;

export function createBranchSearch(options: BranchSearchOptions): BranchSearch {
  const { branches, repository, fetchTimeoutMs, clock } = options;
  const searches = new Set<{ readonly commit: Commit }>();
  /** Fetching all together took too long the last time. */
  let isTooMuchAtOnce = false;

  async function missingTips(signal: AbortSignal): Promise<readonly Tip[]> {
    const tips = distinctTips(branches.known(), options.asked()).filter(
      ({ commit }) => branches.refusal(commit) === undefined,
    );
    const commits = tips.map(({ commit }) => commit);
    const here = await repository.present(commits, signal);
    return tips.filter(({ commit }) => !here.has(commit));
  }

  async function fetchMissing(
    endsAt: number,
    mayRepair: boolean,
    signal: AbortSignal,
  ): Promise<SearchResult> {
    await repository.keepBranches(new Set(branches.known().keys()), signal);
    const missing = await missingTips(signal);
    const groups = groupTips(missing, branches.hasFailed);
    const wanted = [...searches];
    const failures = new Map<Commit, HomelabError>();
    let isChecked = false;
    let isRepaired = false;
    /** Since we looked for what is wanted. */
    let hasNews = true;
    let isFound = false;
    const leftMs = (): number => Math.floor(endsAt - clock.monotonic());

    async function isOver(): Promise<boolean> {
      if (isRepaired || leftMs() < leastMs) return true;
      if (hasNews) {
        hasNews = false;
        const open = wanted.filter((each) => searches.has(each)).map(({ commit }) => commit);
        const here = await repository.present(open, signal);
        isFound = open.every((commit) => here.has(commit));
      }
      return isFound;
    }

    async function attempt(tips: readonly Tip[]): Promise<FailedAttempt | undefined> {
      const timeoutMs = Math.max(leastMs, Math.min(fetchTimeoutMs, leftMs()));
      const names = tips.map(({ branch }) => branch);
      const result = await options.fetch(names, timeoutMs, signal);
      if (result === undefined) {
        hasNews = true;
        return undefined;
      }
      if (result.timedOut && tips.length > 1) isTooMuchAtOnce = true;
      if (!isChecked) {
        isChecked = true;
        // Throws when it is the remote that failed, and no branch.
        await branches.look(signal);
        isRepaired = mayRepair && (await options.repair(signal));
      }
      return { result, timeoutMs };
    }

    async function onFailed(tip: Tip, failed: FailedAttempt): Promise<void> {
      if (!isRepaired) failures.set(tip.commit, await branches.explain({ tip, ...failed }, signal));
    }

    const untried: Tip[] = [];
    const isTooMuch = ({ result }: FailedAttempt): boolean => result.timedOut;
    for (const group of isTooMuchAtOnce ? groups.flat().map((tip) => [tip]) : groups) {
      untried.push(...(await fetchInHalves(group, { attempt, isTooMuch, onFailed, isOver })));
    }
    if (isRepaired) return fetchMissing(endsAt, false, signal);
    if (untried.length === 0) isTooMuchAtOnce = false;
    if (leftMs() < leastMs) for (const { commit } of untried) failures.set(commit, notTried());
    const unread = [...branches.known()].flatMap(([branch, commit]) => {
      const reason = failures.get(commit) ?? branches.refusal(commit);
      return reason === undefined ? [] : [[branch, reason] as const];
    });
    const passing = unread.filter(([, reason]) => isUnavailable(reason));
    const lasting = unread.filter(([, reason]) => !isUnavailable(reason));
    return { isNew: failures.size > 0, unread: new Map([...passing, ...lasting]) };
  }

  const run = coalesce((signal) => fetchMissing(clock.monotonic() + searchMs, true, signal));

  return async (commit, signal) => {
    const search = { commit };
    searches.add(search);
    try {
      return await run(signal);
    } finally {
      searches.delete(search);
    }
  };
}

const notTried = (): HomelabError =>
  new HomelabError("unavailable", "there was no time left to fetch it", {
    code: "GIT_REMOTE",
    hint: "the next attempt begins with the branches that were not tried",
  });
