// Random histories of a fleet and its inputs, all in memory: inputs move and break hosts, people push, servers are
// away, builders fail, and updates are killed. Then nothing more happens, and updates run until nothing changes.
import { HomelabError, messageOf } from "../../src/base/errors.ts";
import { parseCommit, type Commit } from "../../src/protocol/names.ts";
import type { SafeUpdateResult } from "../../src/update/conclude.ts";
import { isOurCommit } from "../../src/update/commit-message.ts";
import { findMarker, lockDigest } from "../../src/update/propose/pull-request-marker.ts";
import { composeProposal } from "../../src/update/propose/compose-proposal.ts";
import { composeReport } from "../../src/update/report/compose-report.ts";
import { safeUpdate, type SafeUpdateOptions } from "../../src/update/safe-update.ts";
import type { InputHistory } from "../../src/update/search/bisect-input.ts";
import type { Describe, Upstream } from "../../src/update/update.ts";
import { InputUnavailableError } from "../../src/update/update-reachable.ts";
import { disturbPorts, type Disturbance, type Place } from "./disturbed-ports.ts";
import { createFakeBuilds } from "./fake-builds.ts";
import { requireTip } from "./fake-repository.ts";
import { commitOf } from "./flake-locks.ts";
import { createChoices, type Choices } from "./random-choices.ts";
import { master, simulateUpdate } from "./simulated-update.ts";
import {
  foundOf,
  judgeAccusation,
  judgeFound,
  judgeLanded,
  judgeSearch,
  validatedOf,
} from "./update-invariants.ts";
import {
  allInputs,
  describeChange,
  describeWorld,
  failingHosts,
  findCulprits,
  movedInputs,
  movedWith,
  randomWorld,
  verdictOf,
  withInputs,
  type Change,
  type InputStates,
} from "./update-world.ts";
import { printWorldLock, statesInLock } from "./world-lock.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** A run of the next day, when what is left of this one can go. */
const nightMs = 26 * 60 * minuteMs;
const quietRuns = 10;
/** Parts of an update that can be built, with which whatever is plain is found. */
const enough = 30;
const mostStates = 100;

/** What is wrong in the history of a seed: nothing, if updates are right. The first line is about its world. */
export async function simulateHistory(seed: number): Promise<readonly string[]> {
  const choices = createChoices(seed);
  const life = await startLife(choices);
  const runs = choices.count(2, 6);
  for (let run = 1; run <= runs; run++) {
    life.moveInputs();
    await life.people();
    await life.clock.advance(choices.pick([10 * minuteMs, 3 * 60 * minuteMs, nightMs]));
    await life.disturbedRun(`run ${run}`);
  }
  await life.settle();
  return life.faults.length === 0 ? [] : [describeWorld(life.world), ...new Set(life.faults)];
}

async function startLife(choices: Choices) {
  const world = randomWorld(choices);
  const sim = await simulateUpdate();
  const { clock, repository, forge, told, journal } = sim;
  const partialLanding = choices.chance(0.5);
  const parts = choices.chance(0.2) ? choices.count(1, 4) : enough;
  const faults: string[] = [];
  /** What was described, by the digest of its lock. */
  const locks = new Map<string, InputStates>();
  const newest: Record<string, number> = Object.fromEntries(allInputs(world).map((name) => [name, 1]));
  await repository.person(master, { "flake.lock": printWorldLock(world, newest) });
  /** Sources of inputs that do not answer now, and how likely a build of a host ends without a verdict. */
  let away = new Set<string>();
  let faultRate = 0;
  const fetched = new Set(allInputs(world).map((name) => `${name} 1`));

  const signal = AbortSignal.timeout(600_000);
  const statesAt = async (commit: Commit): Promise<InputStates> =>
    statesInLock((await repository.readFile(commit, "flake.lock", signal)) ?? "");
  const changeOf = async (commit: Commit): Promise<Change> => {
    const [parent] = (await repository.facts(commit, signal)).parents;
    return { before: parent === undefined ? {} : await statesAt(parent), after: await statesAt(commit) };
  };
  /** Whether all of it is here or can be had. */
  function fetch(states: InputStates): boolean {
    const missing = allInputs(world).filter((name) => !fetched.has(`${name} ${states[name]}`));
    if (missing.some((name) => away.has(name))) return false;
    for (const name of missing) fetched.add(`${name} ${states[name]}`);
    return true;
  }
  const builds = createFakeBuilds(world.hosts, async (commit, host) => {
    const states = await statesAt(commit);
    if (!fetch(states) || choices.chance(faultRate)) return "infra-failed";
    return verdictOf(world, states, host);
  });

  const upstream: Upstream = {
    async updateLock(base, inputs) {
      const asked = inputs ?? world.inputs;
      const before = await statesAt(base);
      const names = asked.flatMap((input) => movedWith(world, input));
      const down = asked.find((input) => movedWith(world, input).some((name) => away.has(name)));
      if (down !== undefined) throw new InputUnavailableError(down, `the input ${down} is out of reach`, {});
      for (const name of names) fetched.add(`${name} ${newest[name]}`);
      return printWorldLock(world, {
        ...before,
        ...Object.fromEntries(names.map((name) => [name, newest[name] ?? 0])),
      });
    },
    async listHosts(commit) {
      if (fetch(await statesAt(commit))) return world.hosts;
      throw new HomelabError("unavailable", "an input cannot be fetched", { code: "EVALUATION_UNAVAILABLE" });
    },
  };

  const revOf = (input: string, state: number): Commit => parseCommit(commitOf(`${input} ${state}`));
  const stateOf = (input: string, rev: Commit): number | undefined =>
    Array.from({ length: mostStates }, (_, index) => index + 1).find((state) => revOf(input, state) === rev);
  const history: InputHistory = {
    async revisions(input, { base, candidate }) {
      const [from = 0, to = 0] = [(await statesAt(base))[input], (await statesAt(candidate))[input]];
      if (away.has(input)) return { type: "unreachable", reason: "its server does not answer" };
      if (to <= from) return { type: "unreachable", reason: "it has not moved forward" };
      return {
        type: "found",
        old: revOf(input, from),
        before: revOf(input, from),
        revisions: Array.from({ length: to - from }, (_, index) => ({
          rev: revOf(input, from + index + 1),
          committedAt: new Date((1_700_000_000 + from + index + 1) * 1000),
          subject: `State ${from + index + 1}`,
        })),
        compareUrl: () => undefined,
      };
    },
    async lockAt(commit, input, rev) {
      return printWorldLock(world, { ...(await statesAt(commit)), [input]: stateOf(input, rev) ?? 0 });
    },
  };

  const describe: Describe = async (validated, context, until) => {
    const run = journal.last("started")?.run ?? "";
    const unavailable = journal.last("resolved")?.unavailable ?? [];
    const { repo, branch } = sim.options.source;
    const report = composeReport(validated, context, {
      run,
      repo,
      branch,
      unavailable,
      diffs: new Map(),
    });
    const lock = (await repository.readFile(validated.candidate.commit, "flake.lock", until)) ?? "";
    locks.set(lockDigest(lock), statesInLock(lock));
    const parts = { report, lock: lockDigest(lock), states: [], builds, secrets: [] };
    return composeProposal({ ...parts, publishLogs: "excerpt", maxBodyBytes: 60_000 }, until);
  };

  const options: SafeUpdateOptions = {
    ...sim.options,
    source: { ...sim.options.source, upstream },
    judging: { ...sim.options.judging, builds },
    searching: { history, search: { parts, milliseconds: minuteMs }, partialLanding },
    landing: choices.pick(["push", "push", "pull-request"]),
    proposing: { ...sim.options.proposing, describe },
  };

  /** What somebody does to the branch: another file, or an input, which they seldom push without having built it. */
  async function push(): Promise<void> {
    const states = await statesAt(requireTip(repository, master));
    const [input] = choices.some(world.inputs, 1);
    const moved = movedWith(world, input ?? "").map((name) => [name, newest[name] ?? 0] as const);
    const after = { ...states, ...Object.fromEntries(moved) };
    const isGood = failingHosts(world, after).length === 0 || choices.chance(0.2);
    const lock = printWorldLock(world, choices.chance(0.4) && isGood ? after : states);
    await repository.person(master, { "flake.lock": lock, README: `${choices.count(1, 1_000_000)}` });
  }

  /** What goes wrong in a run, by the number of the call. */
  function planTrouble(): (place: Place) => Disturbance | undefined {
    let call = 0;
    const rules: ((place: Place, number: number) => Disturbance | undefined)[] = [];
    const kinds = ["none", "none", "killed", "people", "remote", "forge", "builders", "sources", "verdicts"] as const;
    for (const kind of choices.some(kinds, choices.count(1, 2))) {
      const at = choices.chance(0.3) ? 1 : choices.count(1, 60);
      const until = at + choices.pick([1, 2, 5, 20, 1000]);
      const isLate = choices.chance(0.5);
      switch (kind) {
        case "none":
          break;
        case "killed":
          rules.push((_, number) =>
            number === at ? { type: isLate ? "killed-after" : "killed-before" } : undefined,
          );
          break;
        case "people": {
          const times = new Set(Array.from({ length: choices.count(1, 3) }, () => choices.count(1, 50)));
          rules.push((_, number) => (times.has(number) ? { type: "meanwhile", act: push } : undefined));
          break;
        }
        case "remote":
        case "forge":
        case "builders":
          rules.push((place, number) =>
            place === kind && number >= at && number < until
              ? { type: isLate && number === at ? "away-after" : "away" }
              : undefined,
          );
          break;
        case "sources": {
          const down = new Set(choices.some(allInputs(world), choices.count(1, 2)));
          const act = async (): Promise<void> => void (away = down);
          rules.push((_, number) => (number === at ? { type: "meanwhile", act } : undefined));
          break;
        }
        case "verdicts":
          faultRate = choices.pick([0.1, 0.5, 1]);
          break;
      }
    }
    return (place) => {
      call++;
      return rules.map((rule) => rule(place, call)).find((disturbance) => disturbance !== undefined);
    };
  }

  const openPulls = () => forge.pulls.filter(({ state }) => state === "open");
  const shownPulls = (): string =>
    JSON.stringify(forge.pulls.map(({ number, state, labels, body }) => ({ number, state, labels, body })));

  /** Runs it once, and judges everything that can be judged at any time. */
  async function run(name: string, disturb: ((place: Place) => Disturbance | undefined) | undefined) {
    const fault = (what: string): void => void faults.push(`${name}: ${what}`);
    const before = shownPulls();
    const { options: ports, killed } = disturbPorts(options, disturb ?? (() => undefined));
    const ending: Promise<SafeUpdateResult | "killed" | "failed"> = safeUpdate(ports, signal).catch(
      (error: unknown) => {
        if (!(error instanceof HomelabError) || error.kind !== "unavailable")
          fault(`it ends with ${error instanceof Error ? error.stack : messageOf(error)}`);
        else if (disturb === undefined) fault(`it fails undisturbed: ${error.message}`);
        return "failed";
      },
    );
    const result = await Promise.race([ending, killed.then(() => "killed" as const)]);
    await judgeWorld(fault);
    if (typeof result === "object") {
      await judgeResult(result, before, disturb === undefined, fault);
      await judgeProposals(fault);
    }
    return result;
  }

  async function judgeResult(
    result: SafeUpdateResult,
    before: string,
    isUndisturbed: boolean,
    fault: (what: string) => void,
  ): Promise<void> {
    if (result.type === "infra") {
      if (isUndisturbed) fault("it has no verdicts, undisturbed");
      // A part that has landed had its verdicts, and perhaps its pull request.
      if (foundOf(result)?.landed === undefined && shownPulls() !== before)
        fault("without a verdict it has changed pull requests");
    }
    const validated = validatedOf(result);
    if (validated === undefined) return;
    const { commit, base } = validated.candidate;
    const change = { before: await statesAt(base), after: await statesAt(commit) };
    const observed = { change, found: foundOf(result), stateOf };
    const about = describeChange(change);
    for (const what of judgeFound(world, observed)) fault(`${what} (${about})`);
    if (isUndisturbed && parts >= enough && result.type === "proposed")
      for (const what of judgeSearch(world, observed)) fault(`${what} (${about})`);
  }

  async function judgeWorld(fault: (what: string) => void): Promise<void> {
    for (const commit of await ourCommits()) {
      for (const what of judgeLanded(world, commit.slice(0, 7), await statesAt(commit))) fault(what);
    }
    for (const { commit, state, description } of forge.statuses) {
      if (state !== "failure" || !description.includes("breaks")) continue;
      const status = `the status of ${commit.slice(0, 7)}`;
      for (const what of judgeAccusation(world, status, await changeOf(commit))) fault(what);
    }
  }

  /** By what they say that they are about: their branches can have the next candidate already. */
  async function judgeProposals(fault: (what: string) => void): Promise<void> {
    for (const { head, labels, number, body } of openPulls()) {
      if (repository.tip(head) === undefined) fault(`pull request ${number} has no branch`);
      const marker = findMarker(body);
      const after = locks.get(marker?.lock ?? "");
      if (marker === undefined || after === undefined) {
        fault(`pull request ${number} is about nothing that was validated`);
        continue;
      }
      const change = { before: await statesAt(marker.base), after };
      if (labels.includes("build-failure"))
        for (const what of judgeAccusation(world, `pull request ${number}`, change)) fault(what);
      const freed = /without `?(?<input>[\w-]+)`? the rest builds/.exec(body)?.groups?.["input"];
      if (freed !== undefined && !findCulprits(world, change).buildWithout([freed]))
        fault(`pull request ${number} says that the rest builds without ${freed}`);
    }
  }

  async function ourCommits(): Promise<readonly Commit[]> {
    const ours: Commit[] = [];
    let at: Commit | undefined = requireTip(repository, master);
    while (at !== undefined) {
      const facts: Awaited<ReturnType<typeof repository.facts>> = await repository.facts(at, signal);
      if (isOurCommit(facts, options.source.author.email)) ours.push(at);
      [at] = facts.parents;
    }
    return ours;
  }

  return {
    faults,
    clock,
    world,
    newest,
    /** Forward, or seldom back: somebody has forced a push. */
    moveInputs() {
      for (const name of allInputs(world)) {
        const state = newest[name] ?? 1;
        if (choices.chance(0.4)) newest[name] = state + choices.count(1, 2);
        else if (choices.chance(0.02)) newest[name] = Math.max(1, state - 1);
      }
    },
    async people(): Promise<void> {
      if (choices.chance(0.2)) await push();
      const [open] = openPulls();
      if (open !== undefined && choices.chance(0.1)) open.state = "closed";
    },
    async disturbedRun(name: string): Promise<void> {
      await run(name, planTrouble());
      away = new Set();
      faultRate = 0;
    },
    /** Undisturbed runs, until two come to the same, and one after a fortnight. */
    async settle(): Promise<void> {
      let last = "";
      for (let count = 1; ; count++) {
        await clock.advance(nightMs);
        const result = await run("a quiet run", undefined);
        const now = JSON.stringify([
          typeof result === "string" ? result : [result.type, validatedOf(result)?.candidate.commit],
          requireTip(repository, master),
          openPulls().map(({ number }) => number),
        ]);
        if (now === last) {
          if (typeof result === "object") await judgeRest("at rest", result);
          break;
        }
        if (count === quietRuns) {
          faults.push(`it never comes to rest: ${last} ${now}`);
          return;
        }
        last = now;
      }
      await clock.advance(15 * dayMs);
      const result = await run("a fortnight later", undefined);
      if (typeof result === "object") await judgeRest("a fortnight later", result);
    },
  };

  /** When all is quiet nothing is left that nobody needs, and what could land has. */
  async function judgeRest(when: string, result: SafeUpdateResult): Promise<void> {
    const fault = (what: string): void => void faults.push(`${when} (${result.type}): ${what}`);
    const branches = [...repository.refs.keys()].filter((ref) => ref !== `refs/heads/${master}`);
    const pulls = openPulls();
    const tip = requireTip(repository, master);
    const change = { before: await statesAt(tip), after: newest };
    const candidate = validatedOf(result)?.candidate;
    const failing = failingHosts(world, newest);
    const moved = movedInputs(world, change);
    // A person has to decide about what went back.
    const isBack = allInputs(world).some((name) => (change.before[name] ?? 0) > (newest[name] ?? 0));

    if (moved.length === 0) {
      if (result.type !== "no-change") fault("there is nothing left to update");
    } else if (failing.length === 0 && !isBack) {
      fault(`${moved.join(", ")} could land, and have not`);
    } else if (result.type !== "proposed" && result.type !== "declined") {
      fault(`${failing.join(", ")} do not build with ${moved.join(", ")}, and nothing is proposed`);
    }
    const needed = result.type === "proposed" ? [`refs/heads/${result.branch}`] : [];
    for (const ref of branches.filter((each) => !needed.includes(each))) fault(`${ref} is left`);
    const wanted = result.type === "proposed" ? 1 : 0;
    if (pulls.length !== wanted) fault(`${pulls.length} pull requests are open`);
    if (result.type === "proposed") {
      const [pull] = pulls;
      if (pull !== undefined && pull.head !== result.branch) fault(`the open pull request is about ${pull.head}`);
      if (repository.tip(result.branch) !== candidate?.commit) fault("its branch does not have the candidate");
      if (candidate?.base !== tip) fault("the proposal does not stand on the branch");
      if (JSON.stringify(await statesAt(candidate?.commit ?? tip)) !== JSON.stringify(newest))
        fault("the proposal is not about the newest state");
      const evident = findCulprits(world, change).evident ?? [];
      const rest = moved.filter((input) => !evident.includes(input));
      const isGood = failingHosts(world, withInputs(world, change, rest)).length === 0;
      if (partialLanding && parts >= enough && !isBack && isGood && evident.length > 0 && rest.length > 0)
        fault(`${rest.join(", ")} could land without ${evident.join(", ")}`);
    }
    const news = told.filter(({ outcome }) => outcome === "landed").map(({ commit }) => commit);
    const ours = await ourCommits();
    for (const commit of ours) if (!news.includes(commit)) fault(`${commit.slice(0, 7)} landed, and nobody was told`);
    for (const commit of news)
      if (commit === undefined || !ours.includes(commit)) fault(`${commit?.slice(0, 7)} is told as landed`);
  }
}
