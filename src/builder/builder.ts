// The builder daemon: takes requests from NATS, feeds the engine, and tells who it is.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { BuilderBus } from "../bus/bus.ts";
import type { EvaluationMemory, Evaluator } from "../nix/evaluator.ts";
import type { GcRoots } from "../nix/gc-roots.ts";
import type { Realiser } from "../nix/realiser.ts";
import type { Store } from "../nix/store.ts";
import type { Outbox } from "../notify/outbox.ts";
import type { BranchNews } from "../protocol/branch-news.ts";
import type { BuildState } from "../protocol/build-state.ts";
import { presence, type BuilderStatus } from "../protocol/builder-status.ts";
import { isTerminal, type BuildEvent } from "../protocol/events.ts";
import type { BuilderName, BuildId, RepoName } from "../protocol/names.ts";
import { runBuildControl } from "./holdings/build-control.ts";
import { variantOf } from "../protocol/overrides.ts";
import { createRetention } from "./retention.ts";
import { createEngine, type Engine, type EngineSettings } from "./engine.ts";
import { createHoldings, type Holdings } from "./holdings/holdings.ts";
import { runRepoPoller, type PolledCommits } from "./intake/poll-repos.ts";
import type { Repo } from "./repo.ts";
import { createBacklogAccess, type BacklogAccess } from "./intake/backlog-access.ts";
import { runRequestIntake } from "./intake/request-intake.ts";
import type { ParseInputs } from "./intake/locked-inputs.ts";
import { createRequestResolver } from "./intake/resolve-request.ts";
import type { Signer } from "../signing/signing-key-file.ts";
import { createOtherBuilders } from "./other-builders.ts";
import { createStatements } from "./checks/state-hosts.ts";
import type { ServingProof } from "./checks/serving-check.ts";
import { runSweeper } from "./holdings/sweeper.ts";
import { createBranchNotices } from "./notices/branch-notices.ts";
import { createResultRows } from "./record/result-rows.ts";
import type { FailedHooks } from "./lanes/failed-hooks.ts";
import type { OnRemoteBuild } from "./lanes/machine-watch.ts";
import type { UsualDurations } from "./lanes/usual-durations.ts";

export interface BuilderOptions {
  readonly name: BuilderName;
  readonly version: string;
  readonly bus: BuilderBus;
  readonly nix: Evaluator & Store & Realiser;
  readonly gcRoots: GcRoots;
  readonly servingProof?: ServingProof;
  /** Signs what hosts may activate. */
  readonly statementSigner?: Signer;
  readonly memory: EvaluationMemory;
  readonly lockedInputs: ParseInputs;
  readonly repos: ReadonlyMap<RepoName, Repo>;
  readonly polled: PolledCommits;
  readonly durations: UsualDurations;
  readonly failedHooks: FailedHooks;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: EngineSettings;
  readonly requestExpiryMs: number;
  /** Evaluations are remembered of the newest so many commits of each repo. */
  readonly keepCommits: number;
  /** Gives the collector what no build of these repos needs any more. */
  readonly dropOldRoots: (repos: readonly RepoName[], signal: AbortSignal) => Promise<void>;
  readonly stopMs: number;
  readonly diskSpace: () => Promise<BuilderStatus["disk"]>;
  /** Takes news of branches, where somebody is to be told. */
  readonly news?: Outbox<BranchNews>;
  readonly onDroppedLogLines?: (lines: number) => void;
  readonly onRemoteBuild?: OnRemoteBuild;
  /** For metrics. */
  readonly onStored?: (event: BuildEvent, state: BuildState) => void;
  /** This builder does not hold the build any more: it is finished, or another builder took it over. */
  readonly onOver?: (id: BuildId) => void;
  /** Called when everything is running. */
  readonly onReady?: () => void;
}

/**
 * Runs until the signal aborts; then takes no more work, gives running builds `stopMs` to finish, and stops. What
 * is not finished then continues at the next start.
 */
export async function runBuilder(options: BuilderOptions, signal: AbortSignal): Promise<void> {
  const { bus, nix, repos, clock, log, settings, name, stopMs } = options;
  const stopped = new AbortController();

  function onStored(event: BuildEvent, state: BuildState): void {
    if (state.replyTo !== undefined) bus.reply(state.replyTo, event);
    else if (isTerminal(event) && "replyTo" in event && event.replyTo !== undefined)
      bus.reply(event.replyTo, event);
    options.onStored?.(event, state);
    if (!isTerminal(event)) return;
    rows.add(state);
    log.info({ build: event.build, verdict: state.status }, "a build is over");
  }

  const notices =
    options.news && createBranchNotices({ results: bus.results, outbox: options.news, clock, log });
  const rows = createResultRows({ bus, clock, log, notices });
  const otherBuilders = createOtherBuilders(bus, name, { clock, log });
  const engine = createEngine(
    {
      ...options,
      statements:
        options.statementSigner === undefined
          ? undefined
          : createStatements({ ...options, signer: options.statementSigner }),
      otherBuilders,
      appendLog: (chunk, until) => bus.appendLog(chunk, until),
      publishProgress: (progress) => bus.publishProgress(progress),
      onStored,
    },
    stopped.signal,
  );
  const resolver = createRequestResolver({
    ...options,
    retryPolicy: settings.retryPolicy,
    evaluationLimits: settings.evaluationLimits,
    evaluate: engine.evaluate,
  });
  const retention = createRetention({ ...options, builds: engine.builds }, stopped.signal);
  const holdings = createHoldings(
    {
      bus,
      engine,
      builder: name,
      clock,
      log,
      onStored,
      onOver(id, state) {
        options.onOver?.(id);
        for (const { repo, commit, overrides } of state.sources)
          retention.over({ repo, commit, variant: variantOf(overrides ?? []) });
      },
    },
    stopped.signal,
  );

  const backlog = createBacklogAccess(bus, { clock, log });
  const engineRun = engine.run();
  const startedAt = clock.now();
  const common = {
    ...options,
    bus,
    engine,
    holdings,
    resolver,
    backlog,
    otherBuilders,
    openHosts: () =>
      engine.builds.values().reduce((sum, { hosts, verdicts }) => sum + hosts.length - verdicts.size, 0),
    builder: name,
    retryPolicy: settings.retryPolicy,
  };
  const untilStop = [
    runRequestIntake(common, signal),
    runSweeper(common, signal),
    ...[...repos.values()]
      .filter((repo) => repo.pollMs > 0)
      .map((repo) => runRepoPoller({ ...common, repo }, signal)),
  ];
  const untilStopped = [
    runBuildControl(common, stopped.signal),
    rows.run(stopped.signal),
    ...(notices === undefined ? [] : [notices.run(stopped.signal)]),
    runPresence(options, { engine, backlog, startedAt }, stopped.signal),
  ];
  for (const warning of bus.serverWarnings) log.warn({}, warning);
  log.info(
    {
      name,
      nix: nix.version,
      systems: nix.systems,
      repos: [...repos.keys()],
      evaluationSlots: settings.evaluationSlots,
    },
    "the builder is ready",
  );
  options.onReady?.();

  try {
    await Promise.race([engineRun, ...untilStop, ...untilStopped]);
  } catch (error) {
    if (!signal.aborted) throw error;
    log.info({ open: holdings.size() }, "stopping: no more requests are taken");
    await drained(holdings, clock, stopMs);
  } finally {
    stopped.abort(new Error("the builder stops"));
    await Promise.allSettled([engineRun, ...untilStop, ...untilStopped]);
    // Whoever stopped us may remove our directories now.
    await holdings.settled();
    await retention.settled();
  }
}

async function drained(holdings: Holdings, clock: Clock, stopMs: number): Promise<void> {
  const deadline = clock.monotonic() + stopMs;
  while (holdings.size() > 0 && clock.monotonic() < deadline) await clock.sleep(100);
}

async function runPresence(
  { bus, nix, name, version, repos, clock, log, settings, diskSpace }: BuilderOptions,
  { engine, backlog, startedAt }: { engine: Engine; backlog: BacklogAccess; startedAt: Date },
  signal: AbortSignal,
): Promise<void> {
  let disk: BuilderStatus["disk"];
  const status = (): BuilderStatus => ({
    name,
    version,
    nixVersion: nix.version,
    systems: [...nix.systems],
    repos: [...repos.keys()],
    at: clock.now().toISOString(),
    startedAt: startedAt.toISOString(),
    evaluationSlots: settings.evaluationSlots,
    backlog: backlog.current() !== undefined,
    builds: [...engine.builds.values()].flatMap(({ id, evaluatesOnly }) =>
      evaluatesOnly === true ? [] : [id],
    ),
    disk,
  });
  bus.answerStatus(name, status, signal);
  for (;;) {
    try {
      disk = await diskSpace();
      await backlog.look(signal);
      await bus.putStatus(status(), signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error }, "the builder's status could not be stored");
    }
    await clock.sleep(presence.intervalMs, signal);
  }
}
