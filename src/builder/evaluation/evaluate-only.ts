// What hosts evaluate to, for those who want to know that and nothing else. It goes through the same evaluators as what
// is built, so it shares their slots and their memory, and whatever was evaluated before is only recalled.
import type { Clock } from "../../base/clock.ts";
import type { HostName, StorePath } from "../../protocol/names.ts";
import type { Priority } from "../../protocol/request.ts";
import { unknownBuild } from "../../protocol/build-state.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { createBuildLogs } from "../record/build-logs.ts";
import { createProgressBoard } from "../record/progress-board.ts";
import type { BuildSource, RunningBuild } from "../work.ts";
import type { WorkBoard } from "../work-board.ts";

export interface EvaluationSpecification {
  readonly source: BuildSource;
  readonly hosts: readonly HostName[];
  readonly priority: Priority;
  /** How many hosts are evaluated so far. */
  readonly onProgress: (done: number) => void;
}

/** The derivations of those hosts that evaluate. */
export type EvaluateOnly = (
  specification: EvaluationSpecification,
  signal: AbortSignal,
) => Promise<ReadonlyMap<HostName, StorePath>>;

export interface EvaluateOnlyOptions {
  readonly board: WorkBoard;
  readonly clock: Clock;
  /** Calls back when the build is through with all of its hosts. */
  readonly whenFinished: (build: RunningBuild, then: () => void) => void;
}

export function createEvaluateOnly({ board, clock, whenFinished }: EvaluateOnlyOptions): EvaluateOnly {
  return async ({ source, hosts, priority, onProgress }, signal) => {
    signal.throwIfAborted();
    if (hosts.length === 0) return new Map();
    const id = newBuildId(clock.now());
    const found = new Map<HostName, StorePath>();
    const over = new AbortController();
    const running = AbortSignal.any([signal, over.signal]);
    const progress = createProgressBoard(
      id,
      ({ evaluations }) => evaluations !== undefined && onProgress(evaluations.done),
      clock,
    );
    const build: RunningBuild = {
      id,
      evaluatesOnly: true,
      priority,
      sources: new Map([[source.repo, source]]),
      record: {
        state: () => unknownBuild(id),
        emit(event) {
          if (event.type !== "evaluated") return;
          for (const { host, drvPath } of event.hosts) found.set(host, drvPath);
        },
        run: async () => undefined,
      },
      logs: createBuildLogs({ build: id, firstLog: 0, append: async () => undefined, clock }),
      progress,
      startedAt: clock.monotonic(),
      hosts: hosts.map((host) => ({ repo: source.repo, host })),
      unresolved: [],
      verdicts: new Map(),
      open: new Map(),
      failures: new Map(),
      hasBug: false,
      warningsSaid: new Set(),
    };
    const finished = Promise.withResolvers<void>();
    whenFinished(build, finished.resolve);
    signal.addEventListener("abort", () => finished.reject(signal.reason), {
      once: true,
      signal: over.signal,
    });
    const telling = progress.run(running).catch(() => undefined); // aborted
    try {
      board.add(build);
      await finished.promise;
      return found;
    } finally {
      board.forget(id);
      over.abort();
      await telling;
    }
  };
}
