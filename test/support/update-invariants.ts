// What is always true of an update, whatever happens to it: judged by what the generator of its history knows.
import type { Commit } from "../../src/protocol/names.ts";
import type { SafeUpdateResult } from "../../src/update/conclude.ts";
import type { Found } from "../../src/update/update.ts";
import { breaksAt, failingHosts, findCulprits, type Change, type UpdateWorld } from "./update-world.ts";

/** What a run came to. */
export interface ObservedRun {
  readonly change: Change;
  readonly found: Found | undefined;
  /** The state of an input at one of its commits. */
  readonly stateOf: (input: string, rev: Commit) => number | undefined;
}

/** Of a result that is about a candidate; undefined for the others. */
export const validatedOf = (result: SafeUpdateResult) => ("validated" in result ? result.validated : undefined);

export const foundOf = (result: SafeUpdateResult): Found | undefined =>
  "found" in result ? result.found : undefined;

/** Nobody innocent is named, and who only breaks something together with another is not named without it. */
export function judgeFound(world: UpdateWorld, { change, found, stateOf }: ObservedRun): readonly string[] {
  if (found === undefined) return [];
  const faults: string[] = [];
  const truth = findCulprits(world, change);
  const named = [...new Set([...found.guilty, ...found.bisected.map(({ input }) => input)])];
  for (const input of named.filter((each) => !truth.involved.has(each)))
    faults.push(`${input} is named, and has no part in it`);
  if (found.guilty.length > 0 && !truth.breakAlone(found.guilty))
    faults.push(`${found.guilty.join(", ")} named, and break nothing without others`);
  for (const { input, firstBad } of found.bisected) {
    if (firstBad === undefined) continue;
    const state = stateOf(input, firstBad.rev);
    if (state === undefined) faults.push(`${firstBad.rev} is no commit of ${input}`);
    else if (!breaksAt(world, change, input, state))
      faults.push(`the first bad revision of ${input} is said to be ${state}, and nothing breaks there`);
  }
  return faults;
}

/** With a budget that suffices and an infrastructure that is well, what is plain has to be found. */
export function judgeSearch(world: UpdateWorld, { change, found }: ObservedRun): readonly string[] {
  const { evident } = findCulprits(world, change);
  if (evident === undefined) return [];
  const named = (found?.guilty ?? []).toSorted().join(", ");
  return named === evident.toSorted().join(", ")
    ? []
    : [`${evident.join(", ")} ought to be named, and ${named === "" ? "nobody" : named} is`];
}

/** A commit of ours on the branch. */
export function judgeLanded(world: UpdateWorld, commit: string, states: Change["after"]): readonly string[] {
  const failing = failingHosts(world, states);
  return failing.length === 0 ? [] : [`the branch has ${commit}, with which ${failing.join(", ")} do not build`];
}

/** A proposal, or a commit status, that says that hosts break. */
export function judgeAccusation(world: UpdateWorld, what: string, change: Change): readonly string[] {
  return findCulprits(world, change).hosts.length > 0 ? [] : [`${what} says that hosts break, and none does`];
}
