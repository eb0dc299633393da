// How far something of thousands of steps is: one line that is drawn over on a terminal, and now and then a line
// elsewhere.
import type { Clock } from "../../base/clock.ts";
import { formatDuration } from "../../words/duration.ts";
import type { TextOutput } from "./renderer.ts";

export interface ProgressLine {
  show(progress: { readonly done: number; readonly total: number }): void;
  /** Takes the line away. */
  end(): void;
}

const terminalMs = 100;
const plainMs = 30_000;
/** Before this much is done, the remaining time cannot be estimated. */
const leastForEstimate = 20;

export function createProgressLine(what: string, err: TextOutput, clock: Clock): ProgressLine {
  const isTerminal = err.isTTY === true;
  const startedAt = clock.monotonic();
  let shownAt = isTerminal ? Number.NEGATIVE_INFINITY : startedAt;
  let isShown = false;
  return {
    show({ done, total }) {
      const now = clock.monotonic();
      if (now - shownAt < (isTerminal ? terminalMs : plainMs)) return;
      shownAt = now;
      const leftMs = ((now - startedAt) / Math.max(1, done)) * (total - done);
      const left = done < leastForEstimate ? "" : `, about ${formatDuration(leftMs)} left`;
      const line = `${what}: ${done} of ${total}${left}`;
      err.write(isTerminal ? `\r${line}\u001b[K` : `${line}\n`);
      isShown = true;
    },
    end() {
      if (isTerminal && isShown) err.write("\r\u001b[K");
      isShown = false;
    },
  };
}
