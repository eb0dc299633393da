// A fleet for random histories that is all in memory: hundreds of them in seconds.
import { HomelabError } from "../../src/base/errors.ts";
import { parseCommit, type Commit } from "../../src/protocol/names.ts";
import { isOurCommit } from "../../src/update/commit-message.ts";
import { nothingKnown } from "../../src/update/landed/system-comparison.ts";
import { composeProposal } from "../../src/update/propose/compose-proposal.ts";
import { findMarker, lockDigest } from "../../src/update/propose/pull-request-marker.ts";
import { composeReport } from "../../src/update/report/compose-report.ts";
import type { InputHistory } from "../../src/update/search/bisect-input.ts";
import type { SafeUpdateOptions } from "../../src/update/safe-update.ts";
import type { Describe, ProposalContext, Upstream, Validated } from "../../src/update/update.ts";
import { InputUnavailableError } from "../../src/update/update-reachable.ts";
import { createFakeBuilds, type FakeBuilds } from "./fake-builds.ts";
import { requireTip } from "./fake-repository.ts";
import { commitOf } from "./flake-locks.ts";
import { createChoices } from "./random-choices.ts";
import { randomWorld } from "./random-world.ts";
import { master, simulateUpdate, type SimulatedUpdate } from "./simulated-update.ts";
import { changeAbout, liveHistory, type HistoryFleet } from "./update-history.ts";
import type { ObservedCommit, ObservedFleet, ObservedPull } from "./update-invariants.ts";
import { allInputs, movedWith, verdictOf, type Change, type InputStates } from "./update-world.ts";
import { printWorldLock, statesInLock } from "./world-lock.ts";

/** What is wrong in the history of a seed. */
export async function simulateHistory(seed: number): Promise<readonly string[]> {
  const choices = createChoices(seed);
  const world = randomWorld(choices);
  const sim = await simulateUpdate();
  const { clock, repository, forge, told } = sim;
  const canSearch = choices.chance(0.8);
  const parts = canSearch ? 30 : choices.count(1, 4);
  const partialLanding = choices.chance(0.5);
  const landing = choices.pick(["push", "push", "pull-request"] as const);
  const newest: Record<string, number> = Object.fromEntries(allInputs(world).map((name) => [name, 1]));
  const lockText = (states: InputStates): string => printWorldLock(world, states);
  await repository.person(master, { "flake.lock": lockText(newest) });

  const statesAt = async (commit: Commit): Promise<InputStates> =>
    statesInLock((await repository.readFile(commit, "flake.lock", signal)) ?? "");
  const parentOf = async (commit: Commit): Promise<Commit> =>
    (await repository.facts(commit, signal)).parents[0] ?? commit;
  let away: ReadonlySet<string> = new Set();
  let faultRate = 0;
  const fetched = new Set(allInputs(world).map((name) => `${name} ${newest[name]}`));
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
    async updateLock(base, inputs = world.inputs) {
      const down = inputs.find((input) => movedWith(world, input).some((name) => away.has(name)));
      if (down !== undefined)
        throw new InputUnavailableError(down, `the input ${down} cannot be reached`, {});
      const names = inputs.flatMap((input) => movedWith(world, input));
      const updated = Object.fromEntries(names.map((name) => [name, newest[name] ?? 0]));
      for (const name of names) fetched.add(`${name} ${updated[name]}`);
      return lockText({ ...(await statesAt(base)), ...updated });
    },
    async listHosts(commit) {
      if (fetch(await statesAt(commit))) return world.hosts;
      throw new HomelabError("unavailable", "an input cannot be fetched", { code: "EVALUATION_UNAVAILABLE" });
    },
  };
  const isAway = (input: string): boolean => away.has(input);
  const history = createHistory({ statesAt, lockText, isAway });
  /** What was described, by the digest of its lock. */
  const described = new Map<string, Change>();
  const describe = createDescribe(sim, builds, async (lock, { candidate }, { found }) => {
    described.set(lock, await changeAbout({ statesAt, parentOf }, candidate, found));
  });
  const options: SafeUpdateOptions = {
    ...sim.options,
    source: { ...sim.options.source, upstream },
    judging: { ...sim.options.judging, builds },
    searching: { history, search: { parts, milliseconds: 60_000 }, partialLanding },
    landing,
    proposing: { ...sim.options.proposing, describe },
  };

  const at = async (commit: Commit): Promise<ObservedCommit> => ({ commit, states: await statesAt(commit) });
  const changeAt = async (commit: Commit): Promise<Change> => ({
    before: await statesAt(await parentOf(commit)),
    after: await statesAt(commit),
  });
  async function observe(): Promise<ObservedFleet> {
    const tip = requireTip(repository, master);
    const refs = new Map([...repository.refs].filter(([ref]) => ref !== `refs/heads/${master}`));
    const accused = forge.statuses.filter(
      ({ state, description }) => state === "failure" && description.includes("breaks"),
    );
    return {
      newest: { ...newest },
      tip: await at(tip),
      landed: await Promise.all((await ourCommits(sim, tip)).map(at)),
      told: told.filter(({ outcome }) => outcome === "landed").map(({ commit }) => commit),
      refs,
      openPulls: await Promise.all(forge.pulls.filter(({ state }) => state === "open").map(seen)),
      accused: await Promise.all(
        accused.map(async ({ commit }) => ({ commit, change: await changeAt(commit) })),
      ),
    };
  }
  async function seen({ number, head, labels, body }: (typeof forge.pulls)[number]): Promise<ObservedPull> {
    return { number, head, labels, body, change: described.get(findMarker(body)?.lock ?? "") };
  }

  const fleet: HistoryFleet = {
    world,
    ability: { canSearch, partialLanding },
    compose: async () => options,
    statesAt,
    parentOf,
    stateOf,
    observe,
    advance: clock.advance,
    move: async (states) => void Object.assign(newest, states),
    async push(states) {
      const lock = lockText(states ?? (await statesAt(requireTip(repository, master))));
      await repository.person(master, { "flake.lock": lock, README: `${choices.count(1, 1_000_000)}` });
    },
    async closePull(number) {
      for (const pull of forge.pulls) if (pull.number === number) pull.state = "closed";
    },
    takeAway: async (inputs) => void (away = new Set(inputs)),
    failBuilders: async (rate) => void (faultRate = rate),
    async heal() {
      away = new Set();
      faultRate = 0;
    },
  };
  return liveHistory(fleet, choices, { runs: [2, 6], quietRuns: 10 });
}

const signal = AbortSignal.timeout(2 ** 31 - 1);

const revOf = (input: string, state: number): Commit => parseCommit(commitOf(`${input} ${state}`));
const mostStates = 100;
const stateOf = (input: string, rev: Commit): number | undefined =>
  Array.from({ length: mostStates }, (_, index) => index + 1).find((state) => revOf(input, state) === rev);

/** Every state of an input is one commit. */
function createHistory({
  statesAt,
  lockText,
  isAway,
}: {
  readonly statesAt: (commit: Commit) => Promise<InputStates>;
  readonly lockText: (states: InputStates) => string;
  readonly isAway: (input: string) => boolean;
}): InputHistory {
  return {
    async revisions(input, { base, candidate }) {
      const [from = 0, to = 0] = [(await statesAt(base))[input], (await statesAt(candidate))[input]];
      if (isAway(input)) return { type: "unreachable", reason: "its server does not answer" };
      if (to <= from) return { type: "unreachable", reason: "it has not moved forward" };
      const revisions = Array.from({ length: to - from }, (_, index) => {
        const state = from + index + 1;
        return {
          rev: revOf(input, state),
          committedAt: new Date((1_700_000_000 + state) * 1000),
          subject: `State ${state}`,
        };
      });
      const old = revOf(input, from);
      return { type: "found", old, before: old, revisions, compareUrl: () => undefined };
    },
    async direction(input, { base, candidate }) {
      const [from = 0, to = 0] = [(await statesAt(base))[input], (await statesAt(candidate))[input]];
      if (isAway(input)) return { type: "unreachable", reason: "its server does not answer" };
      return { type: to >= from ? "forward" : "back" };
    },
    async lockAt(commit, input, rev) {
      return lockText({ ...(await statesAt(commit)), [input]: stateOf(input, rev) ?? 0 });
    },
  };
}

/** Pull requests as the command writes them. */
function createDescribe(
  { repository, journal, options }: SimulatedUpdate,
  builds: FakeBuilds,
  note: (lock: string, validated: Validated, context: ProposalContext) => Promise<void>,
): Describe {
  const { repo, branch } = options.source;
  return async (validated, context, until) => {
    const report = composeReport(validated, context, {
      partialLanding: false,
      run: journal.last("started")?.run ?? "",
      repo,
      branch,
      unavailable: journal.last("resolved")?.unavailable ?? [],
      registry: [],
      comparison: nothingKnown,
    });
    const text = (await repository.readFile(validated.candidate.commit, "flake.lock", until)) ?? "";
    const lock = lockDigest(text);
    await note(lock, validated, context);
    return composeProposal(
      { report, lock, states: [], builds, secrets: [], publishLogs: "excerpt", maxBodyBytes: 60_000 },
      until,
    );
  };
}

/** What updates have landed on the branch. */
async function ourCommits({ repository, options }: SimulatedUpdate, tip: Commit): Promise<readonly Commit[]> {
  const ours: Commit[] = [];
  for (let at: Commit | undefined = tip; at !== undefined;) {
    const facts: Awaited<ReturnType<typeof repository.facts>> = await repository.facts(at, signal);
    if (isOurCommit(facts, options.source.author.email)) ours.push(at);
    [at] = facts.parents;
  }
  return ours;
}
