// A lane: what is ready goes to Nix, all of it in one process, because processes that share derivations mostly wait
// for each other's locks. There is a lane for interactive and one for batch work, so neither waits for the other,
// and in each lane a second process may overtake one that takes long.
import { buildTogether, type BuildTogetherOptions } from "./build-together.ts";
import { priorityOf } from "../work.ts";
import { isEvaluated } from "../checks/output-check.ts";
import type { Priority } from "../../protocol/request.ts";

export interface BuildLaneOptions extends BuildTogetherOptions {
  readonly priority: Priority;
}

/** A kernel that compiles for an hour must not keep a host waiting that does not need it. */
const mostProcesses = 2;
const overtakeMs = 3000;

/** Builds what is ready in this lane until the signal aborts. */
export async function runBuildLane(options: BuildLaneOptions, signal: AbortSignal): Promise<void> {
  const { board, clock, priority } = options;
  const bell = board.bells[priority];
  const running = new Set<Promise<void>>();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined); // when the loop has ended before
  let lastStart = Number.NEGATIVE_INFINITY;
  try {
    for (;;) {
      const ready = board
        .inStage("ready")
        .filter(isEvaluated)
        .filter((work) => priorityOf(work) === priority);
      const waitMs = decideStart(ready.length, running.size, clock.monotonic() - lastStart);
      if (waitMs > 0) {
        await Promise.race([
          bell.wait(signal),
          broken.promise,
          ...(Number.isFinite(waitMs) ? [clock.sleep(waitMs, signal)] : []),
        ]);
        continue;
      }
      lastStart = clock.monotonic();
      board.move(ready, "building");
      const process = buildTogether(options, ready, signal).finally(() => {
        running.delete(process);
        bell.ring();
      });
      process.catch(broken.reject);
      running.add(process);
    }
  } finally {
    await Promise.allSettled(running);
  }
}

/** In how many milliseconds the next process may start; infinite while only something else can change that. */
export function decideStart(ready: number, running: number, sinceLastStartMs: number): number {
  if (ready === 0 || running >= mostProcesses) return Number.POSITIVE_INFINITY;
  return running === 0 ? 0 : Math.max(0, overtakeMs - sinceLastStartMs);
}
