// Updates of a fleet that is all in memory: its inputs have numbers for states, and the test says what builds.
import { silentLog } from "../../src/base/log.ts";
import { lockOf as flakeLock, node } from "./flake-locks.ts";
import { parseFlakeLock, printFlakeLock } from "../../src/nix/lock/flake-lock.ts";
import { parseBranchName, parseRepoName, type Commit } from "../../src/protocol/names.ts";
import type { LandedEffect, UpdateEvent } from "../../src/protocol/update-events.ts";
import type { HostVerdict } from "../../src/protocol/verdicts.ts";
import { createMemoryJournal, type Journal } from "../../src/update/journal.ts";
import { lockDigest, printMarker } from "../../src/update/propose/pull-request-marker.ts";
import type { SafeUpdateOptions } from "../../src/update/safe-update.ts";
import type { Describe, Judging, LandedCommit, Run, Searching, Source } from "../../src/update/update.ts";
import { createFakeBuilds, type FakeBuilds } from "./fake-builds.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { createFakeForge, type FakeForge } from "./fake-forge.ts";
import { createFakeRepository, type FakeRepository } from "./fake-repository.ts";

/** By the names of the inputs. */
export type States = Readonly<Record<string, number>>;

export interface SimulatedUpdate {
  readonly clock: FakeClock;
  readonly repository: FakeRepository;
  readonly builds: FakeBuilds;
  readonly forge: FakeForge;
  readonly journal: Journal;
  readonly told: UpdateEvent[];
  /** Of all inputs, upstream. */
  newest: States;
  /** What becomes of a host with inputs at these states. */
  verdict: (states: States, host: string) => HostVerdict;
  /** As with a dry run: builders have every commit that is made here. */
  buildsLocally: boolean;
  /** Before each answer of upstream about the hosts of a commit. */
  onList: () => Promise<unknown>;
  /** What a landed commit changes. */
  explain: (landed: LandedCommit) => Promise<LandedEffect | undefined>;
  statesAt(commit: Commit): Promise<States>;
  readonly options: SafeUpdateOptions & {
    readonly run: Run;
    readonly source: Source;
    readonly judging: Judging;
    readonly searching: Searching;
  };
}

export const hosts = ["web", "db"] as const;
export const master = parseBranchName("master");

export const lockText = (states: States): string =>
  printFlakeLock(
    flakeLock(
      Object.fromEntries(Object.entries(states).map(([name, state]) => [name, node(name, undefined, state)])),
    ),
  );

function statesOf(lock: string): States {
  return Object.fromEntries(
    Object.entries(parseFlakeLock(lock).nodes).flatMap(([name, { locked }]) =>
      locked?.lastModified === undefined ? [] : [[name, locked.lastModified - 1_700_000_000]],
    ),
  );
}

/** Builders have what is on a branch of the remote. */
async function requireOffered(
  repository: FakeRepository,
  commit: Commit,
  signal: AbortSignal,
): Promise<void> {
  for (const tip of repository.refs.values()) {
    if (await repository.isAncestor(commit, tip, signal)) return;
  }
  throw new Error(`no branch has ${commit}`);
}

/** `master` has `alpha` and `beta` at 1, upstream has both at 2, and everything builds. */
export async function simulateUpdate(): Promise<SimulatedUpdate> {
  const clock = createFakeClock();
  const repository = createFakeRepository();
  const signal = AbortSignal.timeout(600_000);
  const lockAt = async (commit: Commit): Promise<string> =>
    (await repository.readFile(commit, "flake.lock", signal)) ?? "";
  const statesAt = async (commit: Commit): Promise<States> => statesOf(await lockAt(commit));
  const builds = createFakeBuilds(hosts, async (commit, host) => {
    if (!sim.buildsLocally) await requireOffered(repository, commit, signal);
    return sim.verdict(await statesAt(commit), host);
  });
  const forge = createFakeForge(repository, clock.now);
  const journal = createMemoryJournal();
  const told: UpdateEvent[] = [];
  const describe: Describe = async ({ candidate, outcome }, { branch, why }) => {
    const lock = lockDigest(await lockAt(candidate.commit));
    const name = outcome.type === "propose" ? outcome.label : "needs-review";
    return {
      title: `Update ${branch}`,
      body: `${printMarker({ run: "run", base: candidate.base, lock })}\n${why?.message ?? "it does not build"}`,
      labels: [{ name, colour: "#d73a4a", description: "" }],
      lock,
      comments: [],
    };
  };
  const unreachable = { type: "unreachable", reason: "there is no history here" } as const;
  const sim: SimulatedUpdate = {
    clock,
    repository,
    builds,
    forge,
    journal,
    told,
    newest: { alpha: 2, beta: 2 },
    verdict: () => "built",
    buildsLocally: false,
    onList: async () => undefined,
    explain: async () => undefined,
    statesAt,
    options: {
      run: { journal, clock, log: silentLog },
      source: {
        repo: parseRepoName("fleet"),
        branch: master,
        lockPath: "flake.lock",
        repository,
        upstream: {
          async updateLock(base, inputs) {
            const before = await statesAt(base);
            const newer = Object.entries(sim.newest).filter(([name]) => inputs?.includes(name) !== false);
            return lockText({ ...before, ...Object.fromEntries(newer) });
          },
          async listHosts() {
            await sim.onList();
            return hosts;
          },
        },
        author: { name: "bot", email: "bot@homelab.invalid" },
        giteaHosts: [],
      },
      judging: { builds, policy: { preExisting: "block" }, downstream: [], trigger: "test" },
      searching: {
        history: {
          direction: async () => unreachable,
          revisions: async () => unreachable,
          lockAt: () => Promise.reject(new Error("unused")),
        },
        search: { parts: 20, milliseconds: 60_000 },
        partialLanding: false,
      },
      landing: "push",
      proposing: { forge, stale: { remindAfterDays: 7, closeAfterDays: 14 }, describe },
      explain: async (landed) => sim.explain(landed),
      outbox: { put: async (event) => void told.push(event), flush: async () => undefined },
      lease: { self: { machine: "test", pid: 1, trigger: "test" }, isAlive: () => false },
      dryRun: false,
    },
  };
  await repository.person(master, { "flake.lock": lockText({ alpha: 1, beta: 1 }) });
  return sim;
}
