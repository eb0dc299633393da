// What is always true of a fleet whose inputs are updated, whatever happens: judged by what the generator of its history
// knows. Each gives what is wrong, for people. Pure.
import type { Commit } from "../../src/protocol/names.ts";
import type { SafeUpdateResult } from "../../src/update/conclude.ts";
import type { Found, Validated } from "../../src/update/update.ts";
import {
  allInputs,
  breaksAt,
  describeChange,
  failingHosts,
  findCulprits,
  movedInputs,
  withInputs,
  type Change,
  type InputStates,
  type UpdateWorld,
} from "./update-world.ts";

/** A commit, and what its lock has. */
export interface ObservedCommit {
  readonly commit: Commit;
  readonly states: InputStates;
}

/** All that others see of a fleet's updates. */
export interface ObservedFleet {
  /** Upstream. */
  readonly newest: InputStates;
  /** Of the branch that updates land on. */
  readonly tip: ObservedCommit;
  /** What updates have landed there. */
  readonly landed: readonly ObservedCommit[];
  /** What was told as landed. */
  readonly told: readonly (Commit | undefined)[];
  /** All other refs of the remote. */
  readonly refs: ReadonlyMap<string, Commit>;
  readonly openPulls: readonly ObservedPull[];
  /** Commits whose status says that they break hosts. */
  readonly accused: readonly { readonly commit: Commit; readonly change: Change }[];
}

export interface ObservedPull {
  readonly number: number;
  readonly head: string;
  readonly labels: readonly string[];
  readonly body: string;
  /** What its text is about; undefined where that was never validated. */
  readonly change: Change | undefined;
}

/** What a run said of its candidate. */
export interface ObservedRun {
  readonly change: Change;
  readonly found: Found | undefined;
  /** The state of an input at one of its commits. */
  readonly stateOf: (input: string, rev: Commit) => number | undefined;
}

export const validatedOf = (result: SafeUpdateResult): Validated | undefined =>
  "validated" in result ? result.validated : undefined;

export const foundOf = (result: SafeUpdateResult): Found | undefined =>
  "found" in result ? result.found : undefined;

/**
 * Nobody innocent is named. Each group that is named breaks something alone, and none of its members is there for nothing;
 * without all of them the rest builds. Where nobody is named it is said why.
 */
export function judgeFound(world: UpdateWorld, { change, found, stateOf }: ObservedRun): readonly string[] {
  if (found === undefined) return [];
  const faults: string[] = [];
  const truth = findCulprits(world, change);
  const { culprits, unproven, bisected } = found;
  const named = new Set([...culprits.flat(), ...bisected.map(({ input }) => input)]);
  for (const input of named) {
    if (!truth.involved.has(input)) faults.push(`${input} is named, and has no part in it`);
  }
  for (const group of culprits) {
    const names = group.join(", ");
    if (!truth.breakAlone(group)) faults.push(`named: ${names}; without another that breaks nothing`);
    for (const input of group.length > 1 ? group : []) {
      const others = group.filter((each) => each !== input);
      if (truth.breakAlone(others)) faults.push(`named: ${names}; ${others.join(", ")} would have done`);
    }
  }
  if (culprits.length > 0 && !truth.buildWithout(culprits.flat()))
    faults.push(`named: ${culprits.flat().join(", ")}; without that hosts fail too`);
  if (culprits.length === 0 && (unproven ?? "") === "")
    faults.push("no input is named, and no reason is given");
  for (const { input, firstBad } of bisected) {
    if (firstBad === undefined) continue;
    const state = stateOf(input, firstBad.rev);
    if (state === undefined) faults.push(`${firstBad.rev} is no commit of ${input}`);
    else if (!breaksAt(world, change, input, state))
      faults.push(`state ${state} of ${input} is named as the first bad one, and nothing breaks there`);
  }
  return faults.map((fault) => `${fault} (${describeChange(change)})`);
}

/** With a budget that suffices and an infrastructure that is well, what is plain has to be found. */
export function judgeSearch(
  world: UpdateWorld,
  { change, found }: Pick<ObservedRun, "change" | "found">,
): readonly string[] {
  const { evident } = findCulprits(world, change);
  const groups = found?.culprits.map((group) => group.toSorted().join(" with ")) ?? [];
  const named = groups.join(", ");
  if (evident === undefined || named === evident.toSorted().join(" with ")) return [];
  const who = named === "" ? `nobody (${found?.unproven ?? ""})` : named;
  return [`${evident.join(" with ")} ought to be named, and ${who} is (${describeChange(change)})`];
}

/** At any time, also while a run is in the middle of its work or was killed there. */
export function judgeAlways(world: UpdateWorld, { landed, accused }: ObservedFleet): readonly string[] {
  const broken = landed.flatMap(({ commit, states }) => {
    const hosts = failingHosts(world, states).join(", ");
    return hosts === "" ? [] : [`${short(commit)} was landed, and with it ${hosts} do not build`];
  });
  const slandered = accused
    .filter(({ change }) => findCulprits(world, change).hosts.length === 0)
    .map(({ commit }) => `the status of ${short(commit)} says that it breaks hosts, and it breaks none`);
  return [...broken, ...slandered];
}

/** After every run that came to its end. */
export function judgeProposals(world: UpdateWorld, { openPulls, refs }: ObservedFleet): readonly string[] {
  return openPulls.flatMap(({ number, head, labels, body, change }) => {
    const name = `pull request ${number}`;
    if (!refs.has(`refs/heads/${head}`)) return [`${name} has no branch`];
    if (change === undefined) return [`${name} is about nothing that was validated`];
    const { hosts, involved, buildWithout } = findCulprits(world, change);
    const about = ` (${describeChange(change)})`;
    if (labels.includes("build-failure") && hosts.length === 0)
      return [`${name} says that hosts break, and none does${about}`];
    const causes = body.split("\n").filter((line) => line.includes("**Caused by:** the input"));
    const innocent = world.inputs.filter(
      (input) => !involved.has(input) && causes.some((line) => line.includes(`\`${input}\``)),
    );
    if (innocent.length > 0) return [`${name} accuses ${innocent.join(", ")}${about}`];
    const freed = /without (?<inputs>[\w, -]+) they build/.exec(body)?.groups?.["inputs"]?.split(", ");
    return freed === undefined || buildWithout(freed)
      ? []
      : [`${name} says that without ${freed.join(", ")} the hosts build, and they do not${about}`];
  });
}

/** What of an update can be asked for. */
export interface Ability {
  /** It may build so many parts that whatever is plain is found. */
  readonly canSearch: boolean;
  readonly partialLanding: boolean;
}

/** When nothing happens any more: what could land has landed, and nothing is left that nobody needs. */
export function judgeRest(
  world: UpdateWorld,
  fleet: ObservedFleet,
  result: SafeUpdateResult,
  ability: Ability,
): readonly string[] {
  return [
    ...judgeProgress(world, fleet, result, ability),
    ...judgeRemains(fleet, result),
    ...judgeProposed(fleet, result),
    ...judgeNews(fleet),
  ];
}

function judgeProgress(
  world: UpdateWorld,
  { tip, newest }: ObservedFleet,
  result: SafeUpdateResult,
  { canSearch, partialLanding }: Ability,
): readonly string[] {
  const change = { before: tip.states, after: newest };
  const moved = movedInputs(world, change);
  const failing = failingHosts(world, newest);
  // A person has to decide about what went back.
  const isBack = allInputs(world).some((name) => (tip.states[name] ?? 0) > (newest[name] ?? 0));
  const about = `(${describeChange(change)})`;
  if (moved.length === 0) return result.type === "no-change" ? [] : ["there is nothing left to update"];
  if (failing.length === 0 && !isBack) return [`${moved.join(", ")} could land, and have not ${about}`];
  if (result.type !== "proposed" && result.type !== "declined")
    return [`${failing.join(", ") || "nothing"} fails, and nothing is proposed ${about}`];
  const { evident = [] } = findCulprits(world, change);
  const rest = moved.filter((input) => !evident.includes(input));
  const isRestGood =
    evident.length > 0 &&
    rest.length > 0 &&
    failingHosts(world, withInputs(world, change, rest)).length === 0;
  return partialLanding && canSearch && isRestGood && !isBack
    ? [`${rest.join(", ")} could land without ${evident.join(", ")} ${about}`]
    : [];
}

function judgeRemains({ refs, openPulls }: ObservedFleet, result: SafeUpdateResult): readonly string[] {
  const needed = result.type === "proposed" ? `refs/heads/${result.branch}` : undefined;
  const branches = [...refs.keys()].filter((ref) => ref !== needed).map((ref) => `${ref} is left`);
  const wanted = result.type === "proposed" ? 1 : 0;
  return openPulls.length === wanted
    ? branches
    : [...branches, `${openPulls.length} pull requests are open in place of ${wanted}`];
}

function judgeProposed(
  { tip, newest, refs, openPulls }: ObservedFleet,
  result: SafeUpdateResult,
): readonly string[] {
  if (result.type !== "proposed") return [];
  const { branch, validated } = result;
  const { commit, base } = validated.candidate;
  const [pull] = openPulls;
  const isNewest = pull?.change === undefined || isEqual(pull.change.after, newest);
  return [
    ...(pull === undefined || pull.head === branch ? [] : [`the open pull request is about ${pull.head}`]),
    ...(refs.get(`refs/heads/${branch}`) === commit ? [] : ["the candidate is not on its branch"]),
    ...(base === tip.commit ? [] : ["what is proposed does not stand on the tip"]),
    ...(isNewest ? [] : ["what is proposed is not the newest"]),
  ];
}

function judgeNews({ landed, told }: ObservedFleet): readonly string[] {
  const commits = landed.map(({ commit }) => commit);
  const untold = commits.filter((commit) => !told.includes(commit));
  const untrue = told.filter((commit) => commit === undefined || !commits.includes(commit));
  return [
    ...untold.map((commit) => `${short(commit)} landed, and nobody was told`),
    ...untrue.map((commit) => `${commit === undefined ? "nothing" : short(commit)} is told as landed`),
  ];
}

const short = (commit: Commit): string => commit.slice(0, 7);

const isEqual = (one: InputStates, another: InputStates): boolean =>
  Object.keys({ ...one, ...another }).every((name) => one[name] === another[name]);
