import type { Clock } from "../../base/clock.ts";
import type { HostEvaluation } from "../../nix/evaluator.ts";
import type { HostWork } from "../work.ts";
import type { WorkBoard } from "../work-board.ts";

/**
 * Each one that is told wakes all that comes after evaluation. A host of NixOS takes seconds; of smaller ones, those that
 * follow within this time are told together.
 */
const togetherMs = 100;

export interface Evaluations {
  add(work: HostWork, evaluation: HostEvaluation, durationMs: number): void;
  /** Tells what is left. */
  close(): void;
}

/** Tells the board what one evaluator found: the first at once, what follows soon after it together. */
export function collectEvaluations(board: Pick<WorkBoard, "evaluated">, clock: Clock): Evaluations {
  const closed = new AbortController();
  let held = new Map<HostWork, HostEvaluation>();
  let heldMs = 0;
  let isWaiting = false;

  function tell(): void {
    if (held.size === 0) return;
    const [evaluations, durationMs] = [held, heldMs];
    [held, heldMs] = [new Map(), 0];
    board.evaluated(evaluations, durationMs);
  }

  async function tellLater(): Promise<void> {
    isWaiting = true;
    try {
      while (held.size > 0) {
        tell();
        await clock.sleep(togetherMs, closed.signal);
      }
    } catch {
      return; // closed
    } finally {
      isWaiting = false;
    }
  }

  return {
    add(work, evaluation, durationMs) {
      held.set(work, evaluation);
      heldMs += durationMs;
      if (!isWaiting) void tellLater();
    },
    close() {
      closed.abort();
      tell();
    },
  };
}
