// A fleet for random histories with everything real but time: Nix, git, a builder, and a forge over HTTP.
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { nixEnvironment } from "../../src/nix/nix-environment.ts";
import { createLockUpdater } from "../../src/nix/lock/update-lock.ts";
import { parseFlakeLock } from "../../src/nix/lock/flake-lock.ts";
import { readNixSettings } from "../../src/nix/settings/nix-settings.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { parseCommit, type Commit } from "../../src/protocol/names.ts";
import { isOurCommit } from "../../src/update/commit-message.ts";
import { findMarker } from "../../src/update/propose/pull-request-marker.ts";
import type { SafeUpdateOptions } from "../../src/update/safe-update.ts";
import { startForgeServer } from "./forge-server/forge-server.ts";
import { startForgeUpdater } from "./forge-updater.ts";
import { createChoices } from "./random-choices.ts";
import { randomWorld } from "./random-world.ts";
import { createScratch } from "./scratch.ts";
import { changeAbout, liveHistory, type HistoryFleet } from "./update-history.ts";
import type { ObservedCommit, ObservedFleet, ObservedPull } from "./update-invariants.ts";
import { createUpdateLab, type UpdateLab } from "./update-lab.ts";
import { allInputs, movedInputs, type Change, type InputStates } from "./update-world.ts";

const signal = AbortSignal.timeout(2 ** 31 - 1);

/** What is wrong in the history of a seed. */
export async function liveRealHistory(seed: number): Promise<readonly string[]> {
  const choices = createChoices(seed);
  const world = randomWorld(choices);
  const canSearch = choices.chance(0.8);
  const parts = canSearch ? 30 : choices.count(1, 4);
  const partialLanding = choices.chance(0.5);
  const landing = choices.pick(["push", "push", "pull-request"] as const);

  await using scratch = await createScratch("history-");
  await using server = await startForgeServer({ kind: "gitea", directory: join(scratch.directory, "forge") });
  await using lab = await createUpdateLab(world.hosts, server.remote.path, world);
  const faults = await createBuilderFaults(lab, scratch.directory);
  const { hosts, breakages } = world;
  await lab.commit("master", { "hosts.json": JSON.stringify({ hosts, breakages }) });
  let shift = 0;
  const clock: Clock = { ...systemClock, now: () => new Date(Date.now() + shift) };
  await using updater = await startForgeUpdater(lab, server, clock);
  const upstream = await createUpstream(lab, allInputs(world));
  const pushLock = await createPerson(lab);

  const told: (Commit | undefined)[] = [];
  /** What was described, by the digest of its lock. */
  const described = new Map<string, Change>();
  let options = await compose();
  await options.source.repository.mirror.resolveBranch(options.source.branch, signal);

  async function compose(): Promise<SafeUpdateOptions> {
    const composed = await updater.compose();
    const { searching, lease, outbox, proposing } = composed;
    return {
      ...composed,
      searching: { ...searching, search: { parts, milliseconds: 600_000 }, partialLanding },
      landing,
      // Whoever is killed here lives on as a process.
      lease: { ...lease, isAlive: () => false },
      outbox: {
        ...outbox,
        async put(event, until) {
          await outbox.put(event, until);
          if (event.outcome === "landed") told.push(event.commit);
        },
      },
      proposing: {
        ...proposing,
        async describe(validated, context, until) {
          const proposal = await proposing.describe(validated, context, until);
          const change = await changeAbout({ statesAt, parentOf }, validated.candidate, context.found);
          described.set(proposal.lock, change);
          return proposal;
        },
      },
    };
  }

  const known = new Map<Commit, InputStates>();
  async function statesAt(commit: Commit): Promise<InputStates> {
    const states = known.get(commit) ?? (await readStates(commit));
    known.set(commit, states);
    return states;
  }
  async function readStates(commit: Commit): Promise<InputStates> {
    await options.source.repository.mirror.ensureCommit(commit, signal).catch(() => undefined);
    const text = await options.source.repository.readFile(commit, "flake.lock", signal);
    const { nodes } = parseFlakeLock(text ?? "");
    const states = allInputs(world).map((name) => {
      const rev = nodes[name]?.locked?.rev;
      return [name, rev === undefined ? 0 : (upstream.stateOf(name, parseCommit(rev)) ?? 0)];
    });
    return Object.fromEntries(states) as InputStates;
  }
  const at = async (commit: Commit): Promise<ObservedCommit> => ({ commit, states: await statesAt(commit) });
  async function observe(): Promise<ObservedFleet> {
    const tip = await lab.git("-C", lab.remote, "rev-parse", "master");
    const log = await lab.git("-C", lab.remote, "log", "-z", "--format=%H%n%ae%n%B", "master");
    const landed = log.split("\0").flatMap((text) => {
      const [commit = "", authorEmail = "", ...message] = text.trim().split("\n");
      const facts = { authorEmail, message: message.join("\n") };
      return isOurCommit(facts, options.source.author.email) ? [parseCommit(commit)] : [];
    });
    const refs = (await lab.git("-C", lab.remote, "for-each-ref", "--format=%(refname) %(objectname)"))
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([ref]) => ref !== "refs/heads/master");
    const accused = server.state.statuses
      .filter(({ state, description }) => state === "failure" && description.includes("breaks"))
      .map(({ commit }) => parseCommit(commit));
    return {
      newest: upstream.newest(),
      tip: await at(parseCommit(tip)),
      landed: await Promise.all(landed.map(at)),
      told: [...told],
      refs: new Map(refs.map(([ref = "", commit = ""]) => [ref, parseCommit(commit)])),
      openPulls: await Promise.all(server.state.pulls.filter(({ state }) => state === "open").map(seen)),
      accused: await Promise.all(accused.map(async (commit) => ({ commit, change: await changeAt(commit) }))),
    };
  }
  const parentOf = async (commit: Commit): Promise<Commit> =>
    (await options.source.repository.facts(commit, signal)).parents[0] ?? commit;
  const changeAt = async (commit: Commit): Promise<Change> => ({
    before: await statesAt(await parentOf(commit)),
    after: await statesAt(commit),
  });
  async function seen({
    number,
    head,
    labels,
    body,
  }: (typeof server.state.pulls)[number]): Promise<ObservedPull> {
    const change = described.get(findMarker(body)?.lock ?? "");
    return { number, head, labels: labels.map(({ name }) => name), body, change };
  }

  const fleet: HistoryFleet = {
    world,
    ability: { canSearch, partialLanding },
    compose: async () => (options = await compose()),
    statesAt,
    parentOf,
    stateOf: upstream.stateOf,
    observe,
    advance: async (milliseconds) => void (shift += milliseconds),
    move: upstream.move,
    async push(states) {
      const { tip } = await observe();
      const inputs = states === undefined ? [] : movedInputs(world, { before: tip.states, after: states });
      await pushLock(inputs);
    },
    async closePull(number) {
      for (const pull of server.state.pulls) if (pull.number === number) pull.state = "closed";
    },
    takeAway: upstream.takeAway,
    failBuilders: faults.begin,
    async heal() {
      await upstream.heal();
      await faults.end();
    },
  };
  return await liveHistory(fleet, choices, { runs: [1, 2], quietRuns: 8 });
}

/** The repositories of the inputs. */
async function createUpstream(lab: UpdateLab, names: readonly string[]) {
  const at = (name: string): string => join(lab.directory, name);
  const newest = new Map<string, number>();
  /** A state that was thrown away and made again is another commit. */
  const states = new Map<string, Map<Commit, number>>();
  for (const name of names) {
    newest.set(name, 1);
    states.set(name, new Map([[parseCommit(await lab.git("-C", at(name), "rev-parse", "HEAD")), 1]]));
  }
  let away: readonly string[] = [];
  return {
    newest: (): InputStates => Object.fromEntries(newest),
    stateOf: (name: string, rev: Commit): number | undefined => states.get(name)?.get(rev),
    async move(moved: InputStates): Promise<void> {
      for (const [name, wanted] of Object.entries(moved)) {
        const known = states.get(name);
        for (let state = newest.get(name) ?? 0; state > wanted; state--)
          await lab.git("-C", at(name), "reset", "--quiet", "--hard", "HEAD~1");
        for (let state = (newest.get(name) ?? 0) + 1; state <= wanted; state++)
          known?.set(await lab.bump(name, { value: String(state) }), state);
        newest.set(name, wanted);
      }
    },
    async takeAway(inputs: readonly string[]): Promise<void> {
      away = inputs;
      for (const name of inputs) await rename(at(name), `${at(name)}.away`);
    },
    async heal(): Promise<void> {
      for (const name of away) await rename(`${at(name)}.away`, at(name));
      away = [];
    },
  };
}

/** Somebody who pushes: with inputs, these brought up to date by Nix. */
async function createPerson(lab: UpdateLab): Promise<(inputs: readonly string[]) => Promise<void>> {
  const exec = createExec();
  const environment = nixEnvironment(lab.store.environment, join(lab.store.directory, "home"));
  const { version } = await readNixSettings(exec, environment, signal);
  const updater = createLockUpdater({ exec, environment, version });
  let pushes = 0;
  return async (inputs) => {
    const directory = await mkdtemp(join(lab.directory, "person-"));
    await lab.git("clone", "--quiet", "--branch", "master", lab.remote, directory);
    const updated =
      inputs.length === 0
        ? undefined
        : await updater.updateLock(directory, { inputs, timeoutMs: 120_000 }, signal);
    // What Nix cannot update now, people leave as it is.
    const lock =
      updated?.type === "updated" ? updated.lock : await readFile(join(directory, "flake.lock"), "utf8");
    await lab.commit("master", { "flake.lock": lock, README: `${++pushes}\n` });
    await rm(directory, { recursive: true });
  };
}

/** A hook after each build that fails, forever or once: no fault of the hosts. */
async function createBuilderFaults(lab: UpdateLab, directory: string) {
  const flag = join(directory, "hook-fails");
  const hook = join(directory, "hook");
  const script = `#!/bin/sh\nread -r times < ${flag} || exit 0\n[ "$times" = once ] && rm -f ${flag}\nexit 1\n`;
  await writeFile(hook, script.replace("read", `test -e ${flag} || exit 0\nread`), { mode: 0o755 });
  await lab.store.configure(`post-build-hook = ${hook}\n`);
  return {
    begin: async (rate: number): Promise<void> => writeFile(flag, rate < 0.5 ? "once\n" : "always\n"),
    end: async (): Promise<void> => rm(flag, { force: true }),
  };
}
