// The engine: evaluates and builds what its builds want, and records what happens. It knows nothing of queues;
// the builder daemon and local builds both feed it.
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { RetryPolicy } from "../base/retry.ts";
import type { EventLogWriter } from "../bus/bus.ts";
import type { EvaluationOptions, GcRoots, Nix, RealiseOptions } from "../nix/nix.ts";
import { isOver, type BuildState } from "../protocol/build-state.ts";
import type { BuildEvent } from "../protocol/events.ts";
import type { LogChunk } from "../protocol/log-chunk.ts";
import { fullName, type BuildId, type RepoName } from "../protocol/names.ts";
import type { BuildProgress } from "../protocol/progress.ts";
import type { HostVerdict } from "../protocol/verdicts.ts";
import { runBuildLane } from "./build-lane.ts";
import { createBuildLogs } from "./build-logs.ts";
import { createBuildRecord } from "./build-record.ts";
import { isSuperseded } from "./end-build.ts";
import { runEvaluationPool } from "./evaluation-pool.ts";
import type { DiskFloor } from "./disk-floor.ts";
import { runOutputCheck } from "./output-check.ts";
import type { NeedsOfHosts } from "./host-needs.ts";
import { runServingCheck, type ServingProof } from "./serving-check.ts";
import { createProgressBoard } from "./progress-board.ts";
import type { BuildSource, RunningBuild } from "./running-build.ts";
import type { UsualDurations } from "./usual-durations.ts";
import { createWorkBoard, verdictOf } from "./work-board.ts";

export interface EngineSettings {
  readonly evaluationSlots: number;
  readonly evaluationBatchSize: number;
  readonly evaluationLimits: Pick<EvaluationOptions, "timeoutMs" | "maxMemoryBytes">;
  readonly buildLimits: RealiseOptions;
  /** Bytes of the store's disk below which no build begins. */
  readonly minFreeBytes: number;
  readonly retryPolicy: RetryPolicy;
}

export interface EngineOptions {
  readonly nix: Nix;
  readonly gcRoots: GcRoots;
  /** With it, only what the cache is proven to serve is a success. */
  readonly servingProof?: ServingProof;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: EngineSettings;
  readonly durations: UsualDurations;
  readonly diskSpace: DiskFloor["diskSpace"];
  readonly appendLog: (chunk: LogChunk, signal: AbortSignal) => Promise<void>;
  readonly publishProgress: (progress: BuildProgress) => void;
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
  /** False when the build is not here (any more). */
  cancel(id: BuildId): boolean;
  readonly builds: ReadonlyMap<BuildId, RunningBuild>;
  /** Works until the signal aborts, then until its processes are gone. */
  run(): Promise<void>;
}

/** Logs of each epoch are numbered from a multiple of this, so that no number is used twice. */
const logsPerEpoch = 1_000_000;

export function createEngine(options: EngineOptions, signal: AbortSignal): Engine {
  const { nix, gcRoots, servingProof, clock, log, settings, durations } = options;
  const { appendLog, publishProgress, onStored } = options;
  const needs: NeedsOfHosts = new Map();
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
    const progress = createProgressBoard(id, publishProgress, clock);
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
      warningsSaid: new Set(state.warnings),
    };

    const emptied = Promise.withResolvers<void>();
    finishing.set(id, emptied.resolve);
    const beside = [logs.run(running), progress.run(running)].map((loop) =>
      loop.catch((error: unknown) => {
        if (!running.aborted)
          log.error({ build: id, error: messageOf(error) }, "a build's logs or progress stopped");
      }),
    );
    const finish = emptied.promise.then(() => emitFinished(build, running)).catch(() => undefined);
    board.add(build);
    try {
      await record.run(running);
    } catch (error) {
      board.forget(id);
      if (isSuperseded(error)) log.warn({ build: id }, "another builder holds this build now");
      else if (!running.aborted)
        log.error({ build: id, error: messageOf(error) }, "events of a build cannot be stored");
    } finally {
      over.abort();
      finishing.delete(id);
      await Promise.all([...beside, finish]);
    }
  }

  /** A build goes on without it: what is collected under it is found missing in its verdict, and built again. */
  async function useRoots(sources: BuildStart["sources"]): Promise<AsyncDisposable | undefined> {
    try {
      return await gcRoots.use([...sources.values()], signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ error: messageOf(error) }, "a build's GC roots are not locked");
      return undefined;
    }
  }

  /** The last event comes after the last line of log, so that whoever reads it can read them all. */
  async function emitFinished(build: RunningBuild, running: AbortSignal): Promise<void> {
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
    const durationMs = Math.round(clock.monotonic() - build.startedAt);
    const unresolved = build.unresolved.map(
      ({ repo, reason }) => `the hosts of ${repo} have no verdict: ${reason}`,
    );
    build.record.emit({
      type: "finished",
      verdict: verdictOf(build),
      ...(unresolved.length === 0 ? {} : { reason: unresolved.join("; ") }),
      durationMs,
    });
  }

  return {
    start,
    cancel: (id) => board.cancel(id),
    builds: board.builds,
    async run() {
      const stopped = (error: unknown): void => {
        if (!signal.aborted) throw error;
      };
      const lane = (priority: "interactive" | "batch"): Promise<void> =>
        runBuildLane(
          {
            board,
            nix,
            clock,
            log,
            priority,
            limits: settings.buildLimits,
            durations,
            needs,
            floor: { diskSpace: options.diskSpace, minFreeBytes: settings.minFreeBytes },
          },
          signal,
        ).catch(stopped);
      await Promise.all([
        runEvaluationPool(
          {
            board,
            nix,
            clock,
            slots: settings.evaluationSlots,
            batchSize: settings.evaluationBatchSize,
            limits: settings.evaluationLimits,
          },
          signal,
        ).catch(stopped),
        runOutputCheck({ board, nix, gcRoots, clock }, signal).catch(stopped),
        servingProof === undefined
          ? undefined
          : runServingCheck({ board, proof: servingProof, clock }, signal).catch(stopped),
        lane("interactive"),
        lane("batch"),
      ]).finally(() => board.close());
    },
  };
}

/** Of a resumed build: what it already took, by the wall clock because another process measured it. */
function elapsed(state: BuildState, clock: Clock): number {
  if (isOver(state) || state.startedAt === undefined) return 0;
  return Math.max(0, clock.now().getTime() - Date.parse(state.startedAt));
}
