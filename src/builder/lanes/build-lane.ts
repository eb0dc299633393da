// A lane: what is ready goes to Nix, all of it in one process, because processes that share derivations mostly wait
// for each other's locks. There is a lane for interactive and one for batch work, so neither waits for the other,
// and in each lane a second process may overtake one that takes long. What somebody waits for is also taken out of the
// queue of a batch process: each process has `max-jobs` of its own.
import { buildTogether, type BuildTogetherOptions } from "./build-together.ts";
import { type HostWork, priorityOf } from "../work.ts";
import { isEvaluated } from "../checks/output-check.ts";
import type { Priority } from "../../protocol/request.ts";

/** A kernel that compiles for an hour must not keep a host waiting that does not need it. */
const mostProcesses = 2;
/** While more hosts are on their way, a process begins so long after the one before: with those that came meanwhile. */
const gatherMs = 1000;
/** The same, while the one before still runs. */
const overtakeMs = 3000;

/** Builds what is ready in this lane until the signal aborts. */
export async function runBuildLane(options: BuildTogetherOptions, signal: AbortSignal): Promise<void> {
  const { board, clock, priority } = options;
  const notifier = board.notifiers[priority];
  const running = new Set<Promise<void>>();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined); // when the loop has ended before
  const isEvaluating = (): boolean =>
    comingStages.some((stage) => board.inStage(stage).some((work) => priorityOf(work) === priority));
  /** Requests come in bursts: hosts of a build that has just begun may be followed by those of others. */
  const areLastOfTheirs = (works: readonly HostWork[]): boolean => {
    const ours = board.inStage("building").filter(({ process }) => process?.priority === priority);
    const builds = new Set(ours.flatMap(({ watchers }) => [...watchers]));
    return works.every(({ watchers }) => [...watchers].some((build) => builds.has(build)));
  };
  let lastStart = Number.NEGATIVE_INFINITY;
  try {
    for (;;) {
      const ready = board.inStage("ready").filter((work) => priorityOf(work) === priority);
      const overtaken = board.inStage("building").filter((work) => isOvertaken(work, priority));
      const works = [...ready, ...overtaken].filter(isEvaluated);
      const waitMs = decideStart({
        ready: works.length,
        running: running.size,
        sinceLastStartMs: clock.monotonic() - lastStart,
        moreCome: () => isEvaluating() || (running.size > 0 && !areLastOfTheirs(works)),
      });
      if (waitMs > 0) {
        const woken = new AbortController();
        await Promise.race([
          notifier.wait(signal),
          broken.promise,
          ...(Number.isFinite(waitMs) ? [clock.sleep(waitMs, AbortSignal.any([signal, woken.signal]))] : []),
        ]).finally(() => woken.abort());
        continue;
      }
      lastStart = clock.monotonic();
      board.move(ready, "building");
      const process = buildTogether(options, works, signal).finally(() => {
        running.delete(process);
        notifier.notify();
      });
      process.catch(broken.reject);
      running.add(process);
    }
  } finally {
    await Promise.allSettled(running);
  }
}

/**
 * Whether this lane builds what is in a process of the batch lane already: a build that somebody waits for wants it now,
 * and there it would wait for its turn. What that process builds just then is not built twice: Nix locks it.
 */
export const isOvertaken = (work: HostWork, lane: Priority): boolean =>
  lane === "interactive" && priorityOf(work) === "interactive" && work.process?.priority === "batch";

const comingStages = ["evaluation", "evaluating", "check"] as const;

export interface Lane {
  readonly ready: number;
  /** Processes. */
  readonly running: number;
  readonly sinceLastStartMs: number;
  /** Whether more hosts of this lane may soon be ready. */
  readonly moreCome: () => boolean;
}

/** In how many milliseconds the next process may start; infinite while only something else can change that. */
export function decideStart({ ready, running, sinceLastStartMs, moreCome }: Lane): number {
  if (ready === 0 || running >= mostProcesses) return Number.POSITIVE_INFINITY;
  if (!moreCome()) return 0;
  return Math.max(0, (running === 0 ? gatherMs : overtakeMs) - sinceLastStartMs);
}
