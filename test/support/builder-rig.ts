// A whole builder on the bus of one process, with a Nix whose hosts are data.
import { lockedInputs } from "../../src/nix/lock/locked-inputs.ts";
import type { RealiseOptions } from "../../src/nix/realiser.ts";
import { createFailedHooks } from "../../src/builder/lanes/failed-hooks.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { runBuilder, type BuilderOptions } from "../../src/builder/builder.ts";
import type { Repo } from "../../src/builder/repo.ts";
import type { BuilderBus } from "../../src/bus/bus.ts";
import { createMemoryBus } from "../../src/bus/memory-bus.ts";
import type { Mirror } from "../../src/git/git.ts";
import type { CommitMemory, EvaluationMemory } from "../../src/nix/evaluator.ts";
import { foldEvents, type BuildState } from "../../src/protocol/build-state.ts";
import type { BuildEvent } from "../../src/protocol/events.ts";
import {
  parseBranchName,
  parseBuilderName,
  parseCommit,
  parseHostName,
  parseRepoName,
  type BuildId,
  type Commit,
  type RepoName,
} from "../../src/protocol/names.ts";
import { revisionName, variantOf } from "../../src/protocol/overrides.ts";
import type { BuildRequest } from "../../src/protocol/request.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { createFakeNix, type FakeHost, type FakeNix } from "./fake-nix.ts";

export interface BuilderRig {
  readonly bus: BuilderBus;
  readonly nix: FakeNix;
  readonly memory: EvaluationMemory;
  /** Asks for a build; `what` is `repo/host`, `repo/all`, `any/all`, … */
  ask(what: string, request?: Partial<BuildRequest>): Promise<BuildId>;
  /** Waits until the build is over. */
  verdict(id: BuildId): Promise<BuildState>;
  events(id: BuildId): Promise<readonly BuildEvent[]>;
  setCommit(repo: string, commit: string): void;
  stop(): Promise<void>;
}

export interface RigOptions {
  /** Of builds and of hooks behind them. */
  readonly limits?: RealiseOptions;
  /** Of the store's disk; builds begin with at least 1 GiB. */
  readonly freeBytes?: number;
  /** By repo; names of hosts are unique over repos. */
  readonly repos?: Readonly<Record<string, Readonly<Record<string, FakeHost>>>>;
  readonly excluded?: readonly string[];
  /** In place of those that always answer. */
  readonly mirrors?: Readonly<Record<string, Mirror>>;
  /** The flake.lock of a repo. */
  readonly locks?: Readonly<Record<string, string>>;
  readonly slots?: number;
  readonly batchSize?: number;
  readonly withoutSubstituters?: "wait" | "build";
  readonly bus?: BuilderBus;
  readonly nix?: FakeNix;
  readonly memory?: EvaluationMemory;
  readonly name?: string;
  readonly overrides?: Partial<BuilderOptions>;
}

export const firstCommit = "a".repeat(40);

export function createEvaluationMemory(): EvaluationMemory {
  const commits = new Map<string, CommitMemory>();
  return {
    async open({ repo, commit, overrides }) {
      const key = `${repo}@${revisionName({ commit, variant: variantOf(overrides ?? []) })}`;
      const known = commits.get(key);
      if (known !== undefined) return known;
      const results = new Map<string, ReturnType<CommitMemory["get"]>>();
      let inventory: readonly string[] | undefined;
      const memory: CommitMemory = {
        inventory: () => inventory,
        rememberInventory: (names) => (inventory = names),
        get: (host) => results.get(host),
        remember: (host, result) => results.set(host, result),
        forget: (host) => results.delete(host),
      };
      commits.set(key, memory);
      return memory;
    },
    async prune() {},
  };
}

export async function startRig(options: RigOptions = {}): Promise<BuilderRig> {
  const hostsByRepo = options.repos ?? { homelab: { testvm01: {} } };
  const bus = options.bus ?? createMemoryBus(systemClock);
  const all = new Map(Object.values(hostsByRepo).flatMap((hosts) => Object.entries(hosts)));
  const nix = options.nix ?? createFakeNix(all);
  const commits = new Map<string, Commit>();
  const memory = options.memory ?? createEvaluationMemory();
  const repos = new Map<RepoName, Repo>();
  for (const name of Object.keys(hostsByRepo)) {
    commits.set(name, parseCommit(firstCommit));
    repos.set(parseRepoName(name), {
      name: parseRepoName(name),
      branch: parseBranchName("master"),
      mirror: options.mirrors?.[name] ?? {
        path: `/mirrors/${name}`,
        resolveBranch: async () => commits.get(name) ?? parseCommit(firstCommit),
        ensureCommit: async () => undefined,
        readFile: async () => options.locks?.[name],
      },
      allowImportFromDerivation: false,
      exclusion: (host) =>
        options.excluded?.includes(host) === true ? "excluded by configuration" : undefined,
      pollMs: 0,
    });
  }
  const listHosts: FakeNix["listHosts"] = async (source) =>
    Object.keys(hostsByRepo[source.mirror.replace("/mirrors/", "")] ?? {});
  const stopped = new AbortController();
  const ready = Promise.withResolvers<void>();
  const running = runBuilder(
    {
      name: parseBuilderName(options.name ?? "cache01"),
      version: "0.0.0",
      bus,
      nix: Object.assign(nix, { listHosts }),
      gcRoots: nix.gcRoots,
      memory,
      repos,
      failedHooks: createFailedHooks(),
      durations: { of: () => undefined, learn: async () => undefined },
      polled: { get: () => undefined, set: async () => undefined },
      clock: systemClock,
      log: silentLog,
      settings: {
        evaluationSlots: options.slots ?? 2,
        mostHostsOfEvaluator: options.batchSize ?? 1000,
        evaluationLimits: { timeoutMs: 1000, maxMemoryBytes: 1e9, fullBytes: 1e9 },
        minFreeBytes: 2 ** 30,
        withoutSubstituters: options.withoutSubstituters ?? "wait",
        buildLimits: options.limits ?? { timeoutSeconds: 10, silenceSeconds: 10 },
        retryPolicy: { attempts: 3, firstDelayMs: 1, factor: 1, maxDelayMs: 5 },
      },
      lockedInputs,
      requestExpiryMs: 60_000,
      keepCommits: 4,
      dropOldRoots: async () => undefined,
      stopMs: 50,
      diskSpace: async () => ({
        availableBytes: options.freeBytes ?? 2 ** 40,
        totalBytes: 2 ** 40,
      }),
      onReady: () => ready.resolve(),
      ...options.overrides,
    },
    stopped.signal,
  );
  await Promise.race([ready.promise, running]);
  const never = new AbortController().signal;
  const rig: BuilderRig = {
    bus,
    nix,
    memory,
    async ask(what, request = {}) {
      const [repo = "any", host = "all"] = what.split("/");
      const id = request.id ?? newBuildId(new Date());
      const target = {
        repo: repo === "any" ? repo : parseRepoName(repo),
        host: host === "all" ? host : parseHostName(host),
      } as const;
      await bus.submit(target, { ...request, id }, never);
      return id;
    },
    async verdict(id) {
      for await (const message of bus.follow(id, {}, AbortSignal.timeout(50_000))) void message;
      return foldEvents(id, await rig.events(id));
    },
    events: (id) => bus.readEvents(id, 0, never),
    setCommit: (repo, commit) => void commits.set(repo, parseCommit(commit)),
    async stop() {
      stopped.abort(new Error("stopped by the test"));
      await running;
    },
  };
  return rig;
}

/** The results as `host: verdict` lines, for comparing at a glance. */
export const verdictsOf = (state: BuildState): Record<string, string | undefined> =>
  Object.fromEntries([...state.hosts.values()].map((host) => [host.host, host.finished?.verdict]));
