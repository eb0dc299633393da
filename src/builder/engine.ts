// The engine: evaluates and builds what its builds want, and records what happens. It knows nothing about queues;
// the builder daemon and local builds both feed it.
import type { Clock } from "../base/clock.ts";
import { internalCode, isBug } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { RetryPolicy } from "../base/retry.ts";
import type { EventLogWriter } from "../bus/bus.ts";
import type { EvaluationLimits, Evaluator } from "../nix/evaluator.ts";
import type { GcRoots } from "../nix/gc-roots.ts";
import type { RealiseOptions, Realiser } from "../nix/realiser.ts";
import type { Store } from "../nix/store.ts";
import { applyEvent, isOver, type BuildState } from "../protocol/build-state.ts";
import { boundedText, composeEvent, type BuildEvent } from "../protocol/events.ts";
import type { LogChunk } from "../protocol/log-chunk.ts";
import { fullName, type BuildId, type RepoName } from "../protocol/names.ts";
import type { BuildProgress } from "../protocol/progress.ts";
import { derivationName } from "../protocol/store-paths/derivation-name.ts";
import type { HostVerdict } from "../protocol/verdicts.ts";
import { runBuildLane } from "./lanes/build-lane.ts";
import { createBuildLogs } from "./record/build-logs.ts";
import { createBuildRecord, type BuildRecord } from "./record/build-record.ts";
import { bugReason } from "./decide-verdicts.ts";
import { endingBy, endingOf, hasBug, isSuperseded, storeEnding } from "./record/end-build.ts";
import { createEvaluateOnly, type EvaluateOnly } from "./evaluation/evaluate-only.ts";
import { runEvaluationPool } from "./evaluation/evaluation-pool.ts";
import type { MemoryLimits } from "./evaluation/plan-evaluations.ts";
import { createFailingMachines } from "./lanes/failing-machines.ts";
import type { FailedHooks } from "./lanes/failed-hooks.ts";
import type { DiskFloor } from "./lanes/disk-floor.ts";
import { failWork } from "./fail-work.ts";
import type { OtherBuilders } from "./other-builders.ts";
import { runOutputCheck } from "./checks/output-check.ts";
import type { OnRemoteBuild } from "./lanes/machine-watch.ts";
import type { NeedsOfHosts } from "./lanes/host-needs.ts";
import type { Statements } from "./checks/state-hosts.ts";
import { runServingCheck, type ServingProof } from "./checks/serving-check.ts";
import { createProgressBoard, type BuildSpeed } from "./record/progress-board.ts";
import type { BuildSource, RunningBuild } from "./work.ts";
import type { WithoutSubstituters } from "./lanes/wait-for-substituters.ts";
import type { UsualDurations } from "./lanes/usual-durations.ts";
import { createWorkBoard, verdictOf } from "./work-board.ts";

export interface EngineSettings {
  readonly evaluationSlots: number;
  /** Hosts for one evaluator at most. */
  readonly mostHostsOfEvaluator: number;
  readonly evaluationLimits: EvaluationLimits & MemoryLimits;
  readonly buildLimits: RealiseOptions;
  /** Bytes of the store's disk below which no build begins. */
  readonly minFreeBytes: number;
  readonly retryPolicy: RetryPolicy;
  readonly withoutSubstituters: WithoutSubstituters;
}

export interface EngineOptions {
  readonly nix: Evaluator & Store & Realiser;
  readonly gcRoots: GcRoots;
  /** With it, only what the cache is proven to serve is a success. */
  readonly servingProof?: ServingProof;
  /** With it and `servingProof`, hosts at the tip of their branch are stated. */
  readonly statements?: Statements;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: EngineSettings;
  readonly durations: UsualDurations;
  readonly failedHooks: FailedHooks;
  readonly diskSpace: DiskFloor["diskSpace"];
  readonly appendLog: (chunk: LogChunk, signal: AbortSignal) => Promise<void>;
  readonly publishProgress: (progress: BuildProgress) => void;
  /** For the reasons of hosts whose system nothing here builds for. */
  readonly otherBuilders?: OtherBuilders;
  /** What remote builders do. */
  readonly onRemoteBuild?: OnRemoteBuild;
  /** Lines of log that could not be stored, of a build that ends. */
  readonly onDroppedLogLines?: (lines: number) => void;
  /** Every event of every build, once it is stored. */
  readonly onStored: (event: BuildEvent, state: BuildState) => void;
}

export interface BuildStart {
  /** After `accepted`, or after `resumed`. */
  readonly state: BuildState;
  readonly writer: EventLogWriter;
  readonly sources: ReadonlyMap<RepoName, BuildSource>;
}

export interface Engine {
  /** Takes the build on. The promise settles when it is over here: finished, superseded, or stopped by the signal. */
  start(start: BuildStart): Promise<void>;
  readonly evaluate: EvaluateOnly;
  /** False when the build is not here (any more). */
  cancel(id: BuildId): boolean;
  readonly builds: ReadonlyMap<BuildId, RunningBuild>;
  /** Works until the signal aborts, then until its processes are gone. */
  run(): Promise<void>;
}

/** Logs of each epoch are numbered from a multiple of this, so that no number is used twice. */
const logsPerEpoch = 1_000_000;

export function createEngine(options: EngineOptions, signal: AbortSignal): Engine {
  const { nix, gcRoots, servingProof, statements, clock, log, settings, durations, failedHooks } = options;
  const { appendLog, publishProgress, onStored } = options;
  const needs: NeedsOfHosts = new Map();
  const { here, remote } = nix.slots;
  const speed: BuildSpeed = {
    usualMs: (drvPath) => durations.of(derivationName(drvPath)),
    slots: (settings.buildLimits.maxJobs ?? here) + remote,
  };
  const finishing = new Map<BuildId, () => void>();
  const board = createWorkBoard({
    clock,
    retryPolicy: settings.retryPolicy,
    provesServing: servingProof !== undefined,
    onFinished: (build) => finishing.get(build.id)?.(),
  });

  async function start({ state, writer, sources }: BuildStart): Promise<void> {
    const { id } = state;
    await using _ = await useRoots(sources);
    const over = new AbortController();
    const running = AbortSignal.any([signal, over.signal]);
    const logs = createBuildLogs({
      build: id,
      firstLog: (state.epoch - 1) * logsPerEpoch,
      append: appendLog,
      clock,
    });
    const record = createBuildRecord({
      initial: state,
      epoch: state.epoch,
      writer,
      clock,
      onStored: (event) => onStored(event, record.state()),
    });
    const progress = createProgressBoard(id, publishProgress, clock, speed);
    const build: RunningBuild = {
      id,
      priority: state.priority ?? "batch",
      sources,
      record,
      logs,
      progress,
      startedAt: clock.monotonic() - elapsed(state, clock),
      hosts: [...state.hosts.values()].map(({ repo, host }) => ({ repo, host })),
      unresolved: state.unresolved ?? [],
      verdicts: new Map(
        [...state.hosts.values()].flatMap((host): [ReturnType<typeof fullName>, HostVerdict][] =>
          host.finished === undefined ? [] : [[fullName(host), host.finished.verdict]],
        ),
      ),
      open: new Map(),
      failures: new Map(state.failures.map((failure) => [failure.drvPath, failure])),
      hasBug: hasBug(state),
      warningsSaid: new Set(state.warnings),
    };

    const emptied = Promise.withResolvers<void>();
    finishing.set(id, emptied.resolve);
    const beside = [logs.run(running), progress.run(running)].map((loop) =>
      loop.catch((error: unknown) => {
        if (!running.aborted) log.error({ build: id, err: error }, "a build's logs or progress stopped");
      }),
    );
    const finish = emptied.promise
      .then(() => emitFinished(build, running))
      .catch((error: unknown) => {
        if (running.aborted) return;
        log.error({ build: id, err: error }, "a bug kept the end of a build's logs from being stored");
        emitVerdict(build, bugReason(error));
      });
    try {
      board.add(build);
      await record.run(running);
    } catch (error) {
      board.forget(id);
      if (isSuperseded(error)) log.warn({ build: id }, "another builder holds this build now");
      else if (!running.aborted) {
        log.error({ build: id, err: error }, "events of a build cannot be stored");
        if (isBug(error) && !isOver(record.state())) await endByBug(record, writer, error);
      }
    } finally {
      over.abort();
      finishing.delete(id);
      emptied.resolve(); // of a build that is over here before all its hosts have their verdicts
      await Promise.all([...beside, finish]);
    }
  }

  /** Past the queue of the record, which may be what the bug is in. */
  async function endByBug(record: BuildRecord, writer: EventLogWriter, bug: unknown): Promise<void> {
    const { id, epoch } = record.state();
    let state = record.state();
    const ending = endingOf(state, endingBy(bug, "the build met a bug"), clock.now());
    try {
      await storeEnding(ending, async (body) => {
        const envelope = { build: id, epoch, index: state.nextIndex, at: clock.now().toISOString() };
        const event = composeEvent(envelope, body);
        await writer.append(event, signal);
        state = applyEvent(state, event);
        onStored(event, state);
      });
    } catch (error) {
      if (!signal.aborted) log.error({ build: id, err: error }, "a build that met a bug could not be ended");
    }
  }

  /** A build continues without it: what is collected under it is found missing in its verdict, and built again. */
  async function useRoots(sources: BuildStart["sources"]): Promise<AsyncDisposable | undefined> {
    try {
      return await gcRoots.use([...sources.values()], signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, "a build's GC roots are not locked");
      return undefined;
    }
  }

  /** The last event comes after the last line of log, so that whoever reads it can read them all. */
  async function emitFinished(build: RunningBuild, running: AbortSignal): Promise<void> {
    running.throwIfAborted();
    await build.logs.flushed(running);
    const dropped = build.logs.droppedLines();
    if (dropped > 0) {
      options.onDroppedLogLines?.(dropped);
      const refusal = build.logs.refusal();
      const because = refusal === undefined ? "" : ` (${refusal})`;
      board.warn(
        [build],
        `${dropped} log lines were not stored${because}; \`nix log\` on the builder has them`,
      );
    }
    emitVerdict(build);
  }

  function emitVerdict(build: RunningBuild, bug?: string): void {
    const durationMs = Math.round(clock.monotonic() - build.startedAt);
    const reasons = [
      ...(bug === undefined ? [] : [bug]),
      ...build.unresolved.map(({ repo, reason }) => `the hosts of ${repo} have no verdict: ${reason}`),
    ];
    build.record.emit({
      type: "finished",
      verdict: verdictOf(build),
      reason: reasons.length === 0 ? undefined : boundedText(reasons.join("; ")),
      code: build.hasBug || bug !== undefined ? internalCode : undefined,
      durationMs,
    });
  }

  /** A loop that met a bug takes the open work down with it, and starts again for the builds that come. */
  async function keepRunning(loop: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await loop();
      } catch (error) {
        if (signal.aborted) return;
        const open = new Set([...board.builds.values()].flatMap((build) => [...build.open.values()]));
        if (!isBug(error) || open.size === 0) throw error;
        failWork({ board, log }, [...open], error);
      }
    }
  }

  return {
    start,
    evaluate: createEvaluateOnly({
      board,
      clock,
      whenFinished: ({ id }, then) =>
        finishing.set(id, () => {
          finishing.delete(id);
          then();
        }),
    }),
    cancel: (id) => board.cancel(id),
    builds: board.builds,
    async run() {
      const { otherBuilders } = options;
      const common = { board, nix, gcRoots, failedHooks, otherBuilders, clock, log };
      const pool = {
        ...common,
        slots: settings.evaluationSlots,
        mostHosts: settings.mostHostsOfEvaluator,
        limits: settings.evaluationLimits,
      };
      const floor = { diskSpace: options.diskSpace, minFreeBytes: settings.minFreeBytes };
      const { buildLimits: limits, withoutSubstituters } = settings;
      const { onRemoteBuild } = options;
      const failingMachines = createFailingMachines(clock);
      const lanes = {
        ...common,
        failingMachines,
        limits,
        durations,
        needs,
        floor,
        withoutSubstituters,
        onRemoteBuild,
      };
      await Promise.all([
        keepRunning(() => runEvaluationPool(pool, signal)),
        keepRunning(() => runOutputCheck(common, signal)),
        ...(servingProof === undefined
          ? []
          : [keepRunning(() => runServingCheck({ ...common, proof: servingProof, statements }, signal))]),
        keepRunning(() => runBuildLane({ ...lanes, priority: "interactive" }, signal)),
        keepRunning(() => runBuildLane({ ...lanes, priority: "batch" }, signal)),
      ]).finally(() => board.close());
    },
  };
}

/** How long a resumed build has already taken, by the wall clock because another process measured it. */
function elapsed(state: BuildState, clock: Clock): number {
  if (isOver(state) || state.startedAt === undefined) return 0;
  return Math.max(0, clock.now().getTime() - Date.parse(state.startedAt));
}
