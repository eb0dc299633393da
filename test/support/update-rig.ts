// An updater with a builder in the same process, over real Nix and real git.
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog, type Log } from "../../src/base/log.ts";
import { runBuilder } from "../../src/builder/builder.ts";
import type { BuildReader } from "../../src/bus/bus.ts";
import { createMemoryBus } from "../../src/bus/memory-bus.ts";
import { composeBuilder } from "../../src/wiring/compose-builder.ts";
import { createInputHistory } from "../../src/wiring/input-history.ts";
import { createNixDownstream } from "../../src/wiring/updates/nix-downstream.ts";
import { createNixUpstream } from "../../src/wiring/updates/nix-upstream.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Forge } from "../../src/forge/forge.ts";
import type { Repository } from "../../src/git/git.ts";
import { createRepository } from "../../src/git/create-repository.ts";
import { createNix } from "../../src/nix/create-nix.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { parseBranchName, parseRepoName, type RepoName } from "../../src/protocol/names.ts";
import type { UpdateEvent } from "../../src/protocol/update-events.ts";
import { createKeptBuilds } from "../../src/update/kept/kept-builds.ts";
import { createKeptFindings } from "../../src/update/kept/kept-findings.ts";
import { openJournal, type Journal } from "../../src/update/journal.ts";
import { createOutbox } from "../../src/notify/outbox.ts";
import { updateNews } from "../../src/update/tell/update-news.ts";
import { lockDigest, printMarker } from "../../src/update/propose/pull-request-marker.ts";
import type { SafeUpdateResult } from "../../src/update/conclude.ts";
import { safeUpdate, type SafeUpdateOptions } from "../../src/update/safe-update.ts";
import type {
  Judging,
  Proposal,
  ProposalContext,
  Run,
  Searching,
  Source,
  Upstream,
  Validated,
} from "../../src/update/update.ts";
import type { UpdateLab } from "./update-lab.ts";

/** What a test has in its own way. */
export type Overrides = Partial<Run & Source & Judging & Searching & Pick<SafeUpdateOptions, "dryRun">>;

export interface UpdateRig extends AsyncDisposable {
  readonly told: UpdateEvent[];
  readonly upstream: Upstream;
  readonly repository: Repository;
  /** Of the builder: whom it built what for, and which evaluations were not remembered. */
  readonly builds: BuildReader;
  update(overrides?: Overrides, forge?: Forge): Promise<SafeUpdateResult>;
  journal(): Promise<Journal>;
}

const repo = parseRepoName("fleet");

/** Other repos of the configuration, and which of them are downstream of the fleet. */
export interface DownstreamRig {
  readonly repos?: Readonly<Record<string, object>>;
  readonly downstream?: readonly object[];
}

export async function startUpdateRig(
  lab: UpdateLab,
  name = "updater",
  log: Log = silentLog,
  { repos = {}, downstream = [] }: DownstreamRig = {},
): Promise<UpdateRig> {
  const stopped = new AbortController();
  const environment = { ...lab.store.environment, HOME: join(lab.store.directory, "home") };
  const state = join(lab.directory, name);
  const { config } = parseConfig(
    JSON.stringify({
      repos: { ...repos, fleet: { url: lab.url, pollSeconds: 0, update: { downstream } } },
      builder: { name, stateDirectory: join(state, "builder"), retry: { attempts: 2, firstDelaySeconds: 0 } },
    }),
    "test",
  );
  const composed = await composeBuilder({ config, environment, clock: systemClock, log }, stopped.signal);
  const nix = await createNix(
    { exec: createExec(), environment, stateDirectory: join(state, "nix"), clock: systemClock, log },
    stopped.signal,
  );
  const bus = createMemoryBus(systemClock);
  const building = runBuilder({ ...composed, bus, stopMs: 0 }, stopped.signal);
  const repository = createRepository({
    exec: createExec(),
    repo,
    url: lab.url,
    directory: join(state, "builder/mirrors/fleet.git"),
    environment,
  });
  const settings = config.repos[repo];
  const rigNix = {
    config,
    repository,
    nix,
    open: (downstreamRepo: RepoName, { url }: { readonly url: string }) =>
      createRepository({
        exec: createExec(),
        repo: downstreamRepo,
        url,
        directory: join(state, `builder/mirrors/${downstreamRepo}.git`),
        environment,
      }),
  };
  const told: UpdateEvent[] = [];
  const describe = async (validated: Validated, { branch, why }: ProposalContext): Promise<Proposal> => {
    const { candidate, outcome } = validated;
    const lock = lockDigest(
      (await repository.readFile(candidate.commit, "flake.lock", stopped.signal)) ?? "",
    );
    const marker = printMarker({ run: "run", base: candidate.base, lock });
    const label = outcome.type === "propose" ? outcome.label : "needs-review";
    return {
      title: `Update ${branch}`,
      body: `${marker}\n${why?.message ?? "it does not build"}`,
      labels: [{ name: label, colour: "#d73a4a", description: "" }],
      lock,
      comments: [{ marker: "<!-- log -->", body: "<!-- log -->\nlog" }],
    };
  };
  const upstream = createNixUpstream({ nix, repository, directory: undefined });
  const history = createInputHistory({
    config,
    repo,
    repository,
    directory: undefined,
    stateDirectory: state,
    giteaHosts: [],
    nix,
    exec: createExec(),
    environment,
  });
  const kept = createKeptBuilds({
    directory: join(state, "kept-builds"),
    clean: (text) => text,
    clock: systemClock,
    log,
  });
  const keptFindings = createKeptFindings({
    directory: join(state, "kept-findings"),
    clean: (text) => text,
    clock: systemClock,
    log,
  });
  const journal = async (): Promise<Journal> => openJournal(join(state, "journal.jsonl"));
  return {
    told,
    upstream,
    repository,
    builds: bus,
    journal,
    async update(overrides = {}, forge) {
      return safeUpdate(
        {
          run: { journal: await journal(), clock: systemClock, log, ...overrides },
          source: {
            repo,
            branch: parseBranchName("master"),
            lockPath: "flake.lock",
            repository,
            upstream,
            author: { name: "bot", email: "bot@homelab.invalid" },
            giteaHosts: [],
            ...overrides,
          },
          judging: {
            builds: bus,
            kept,
            policy: { preExisting: "block" },
            downstream: settings === undefined ? [] : createNixDownstream({ ...rigNix, repo, settings }),
            trigger: "test",
            ...overrides,
          },
          searching: {
            history,
            keptFindings,
            search: { parts: 20, milliseconds: 60_000 },
            partialLanding: false,
            ...overrides,
          },
          landing: "push",
          proposing: { forge, stale: { remindAfterDays: 7, closeAfterDays: 14 }, describe },
          explain: async () => undefined,
          outbox: createOutbox(
            join(state, "outbox"),
            updateNews,
            async (event) => void told.push(event),
            log,
          ),
          lease: {
            self: { machine: "test", pid: process.pid, trigger: "test" },
            isAlive: () => false,
          },
          dryRun: overrides.dryRun ?? false,
        },
        AbortSignal.timeout(120_000),
      );
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error("the test ends"));
      await building;
    },
  };
}
