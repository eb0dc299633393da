// A random history of a fleet and its inputs: inputs move and break hosts, people push, servers are away, builders fail,
// and updates are killed. Then nothing more happens, and updates run until nothing changes.
import { HomelabError } from "../../src/base/errors.ts";
import type { Commit } from "../../src/protocol/names.ts";
import type { Candidate } from "../../src/update/candidate.ts";
import type { SafeUpdateResult } from "../../src/update/conclude.ts";
import { safeUpdate, type SafeUpdateOptions } from "../../src/update/safe-update.ts";
import type { Found } from "../../src/update/update.ts";
import { disturbPorts, type Disturb } from "./disturbed-ports.ts";
import type { Choices } from "./random-choices.ts";
import { planTrouble } from "./random-trouble.ts";
import {
  foundOf,
  judgeAlways,
  judgeFound,
  judgeProposals,
  judgeRest,
  judgeSearch,
  validatedOf,
  type Ability,
  type ObservedFleet,
} from "./update-invariants.ts";
import {
  allInputs,
  describeWorld,
  failingHosts,
  movedWith,
  type Change,
  type InputStates,
  type UpdateWorld,
} from "./update-world.ts";

/** A fleet that a history can happen to: in memory, or with real Nix and git. */
export interface HistoryFleet {
  readonly world: UpdateWorld;
  readonly ability: Ability;
  /** Everything of a new process. */
  compose(): Promise<SafeUpdateOptions>;
  statesAt(commit: Commit): Promise<InputStates>;
  parentOf(commit: Commit): Promise<Commit>;
  stateOf(input: string, rev: Commit): number | undefined;
  observe(): Promise<ObservedFleet>;
  advance(milliseconds: number): Promise<void>;
  /** Upstream has other states of these inputs now. */
  move(states: InputStates): Promise<void>;
  /** A person pushes to the branch; with states, these inputs in the lock. */
  push(states: InputStates | undefined): Promise<void>;
  /** A person closes it. */
  closePull(number: number): Promise<void>;
  /** These servers of inputs do not answer any more. */
  takeAway(inputs: readonly string[]): Promise<void>;
  /** So likely a build of a host ends without a verdict now. */
  failBuilders(rate: number): Promise<void>;
  /** Everything answers again. */
  heal(): Promise<void>;
}

export interface HistoryLength {
  readonly runs: readonly [least: number, most: number];
  /** Until when it has to be at rest. */
  readonly quietRuns: number;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** A run of the next day, when what is left of this one can go. */
const nightMs = 26 * 60 * minuteMs;

/** What is wrong in the history: nothing, if updates are right. The first line is about its world. */
export async function liveHistory(
  fleet: HistoryFleet,
  choices: Choices,
  { runs, quietRuns }: HistoryLength,
): Promise<readonly string[]> {
  const faults = new Set<string>();
  const count = choices.count(...runs);
  for (let number = 1; number <= count; number++) {
    const name = `run ${number} of ${count}`;
    await moveInputs(fleet, choices);
    await people(fleet, choices);
    await fleet.advance(choices.pick([10 * minuteMs, 3 * 60 * minuteMs, nightMs]));
    const trouble = planTrouble(choices, allInputs(fleet.world), {
      push: async () => push(fleet, choices),
      takeAway: fleet.takeAway,
      failBuilders: fleet.failBuilders,
    });
    await trouble.begin();
    const { faults: found } = await runOnce(fleet, trouble.disturb);
    for (const fault of found) faults.add(`${name} (${trouble.kinds.join(", ")}): ${fault}`);
    await fleet.heal();
  }
  for (const fault of await settle(fleet, quietRuns)) faults.add(fault);
  return faults.size === 0 ? [] : [describeWorld(fleet.world), ...faults];
}

/** Forward, or seldom back: somebody has forced a push. */
async function moveInputs(fleet: HistoryFleet, choices: Choices): Promise<void> {
  const { newest } = await fleet.observe();
  const moved: Record<string, number> = {};
  for (const name of allInputs(fleet.world)) {
    const state = newest[name] ?? 1;
    if (choices.chance(0.4)) moved[name] = state + choices.count(1, 2);
    else if (choices.chance(0.02) && state > 1) moved[name] = state - 1;
  }
  await fleet.move(moved);
}

async function people(fleet: HistoryFleet, choices: Choices): Promise<void> {
  if (choices.chance(0.2)) await push(fleet, choices);
  const [open] = (await fleet.observe()).openPulls;
  if (open !== undefined && choices.chance(0.1)) await fleet.closePull(open.number);
}

/** Another file, or an input, which people seldom push without having built it. */
async function push(fleet: HistoryFleet, choices: Choices): Promise<void> {
  const { world } = fleet;
  const { tip, newest } = await fleet.observe();
  const names = choices.some(world.inputs, 1).flatMap((input) => movedWith(world, input));
  const after = { ...tip.states, ...Object.fromEntries(names.map((name) => [name, newest[name] ?? 0])) };
  const isGood = failingHosts(world, after).length === 0 || choices.chance(0.2);
  await fleet.push(choices.chance(0.4) && isGood ? after : undefined);
}

interface RunOutcome {
  /** Undefined when it was killed, or ended with an error. */
  readonly result: SafeUpdateResult | undefined;
  readonly faults: readonly string[];
}

/** @param disturb undefined for a run that nothing happens to */
async function runOnce(fleet: HistoryFleet, disturb: Disturb | undefined): Promise<RunOutcome> {
  const { world } = fleet;
  const faults: string[] = [];
  const before = await fleet.observe();
  const run = disturbPorts(await fleet.compose(), disturb ?? (() => undefined));
  const ending = safeUpdate(run.options, AbortSignal.timeout(600_000)).catch((error: unknown) => {
    if (!(error instanceof HomelabError) || error.kind !== "unavailable")
      faults.push(`it ends with ${error instanceof Error ? error.stack : String(error)}`);
    else if (disturb === undefined) faults.push(`it fails undisturbed: ${error.message}`);
    return undefined;
  });
  const result = await Promise.race([ending, run.killed]);
  const after = await fleet.observe();
  faults.push(...judgeAlways(world, after));
  if (result === undefined) return { result, faults };
  faults.push(...judgeProposals(world, after));
  if (result.type === "infra") {
    if (disturb === undefined) faults.push("it has no verdicts, undisturbed");
    // A part that has landed had its verdicts, and perhaps a pull request of its own.
    if (foundOf(result)?.landed === undefined && pullsOf(before) !== pullsOf(after))
      faults.push("it has no verdicts, and has changed pull requests");
  }
  const candidate = validatedOf(result)?.candidate;
  if (candidate === undefined) return { result, faults };
  const found = foundOf(result);
  const change = await changeAbout(fleet, candidate, found);
  faults.push(...judgeFound(world, { change, found, stateOf: fleet.stateOf }));
  if (disturb === undefined && fleet.ability.canSearch && result.type === "proposed")
    faults.push(...judgeSearch(world, { change, found }));
  return { result, faults };
}

/** What was looked at to find the culprits: before a part of it landed. */
export async function changeAbout(
  { statesAt, parentOf }: Pick<HistoryFleet, "statesAt" | "parentOf">,
  { base, commit }: Pick<Candidate, "base" | "commit">,
  found: Found | undefined,
): Promise<Change> {
  const first = found?.landed === undefined ? base : await parentOf(found.landed.commit);
  return { before: await statesAt(first), after: await statesAt(commit) };
}

const pullsOf = ({ openPulls }: ObservedFleet): string =>
  JSON.stringify(openPulls.map(({ number, labels, body }) => [number, labels, body]));

/** Undisturbed runs, until two come to the same, and one a fortnight later. */
async function settle(fleet: HistoryFleet, quietRuns: number): Promise<readonly string[]> {
  const faults: string[] = [];
  let last = "";
  const runQuietly = async (when: string): Promise<{ result: SafeUpdateResult | undefined; at: string }> => {
    const { result, faults: found } = await runOnce(fleet, undefined);
    faults.push(...found.map((fault) => `${when}: ${fault}`));
    const { tip, openPulls } = await fleet.observe();
    const commit = result === undefined ? undefined : validatedOf(result)?.candidate.commit;
    return {
      result,
      at: JSON.stringify([result?.type, commit, tip.commit, openPulls.map(({ number }) => number)]),
    };
  };
  const judge = async (when: string, result: SafeUpdateResult | undefined): Promise<void> => {
    if (result === undefined) return;
    const found = judgeRest(fleet.world, await fleet.observe(), result, fleet.ability);
    faults.push(...found.map((fault) => `${when} (${result.type}): ${fault}`));
  };
  for (let number = 1; ; number++) {
    await fleet.advance(nightMs);
    const { result, at } = await runQuietly("a quiet run");
    if (at === last) {
      await judge("at rest", result);
      break;
    }
    if (number === quietRuns) return [...faults, `it does not come to rest: ${last}, then ${at}`];
    last = at;
  }
  await fleet.advance(15 * dayMs);
  await judge("a fortnight later", (await runQuietly("a fortnight later")).result);
  return faults;
}
