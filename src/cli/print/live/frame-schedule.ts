import type { Clock } from "../../../base/clock.ts";

export interface FrameSchedule {
  /** Something changed: draw soon. */
  request(): void;
  stop(): void;
}

export interface FrameScheduleOptions {
  readonly clock: Clock;
  readonly draw: () => void;
  /** The shortest and the longest time between two frames, in milliseconds. */
  readonly shortestMs: () => number;
  readonly longestMs: number;
}

/** Draws at most once in `shortestMs`, however often it is asked to, and at least once in `longestMs`. */
export function scheduleFrames({ clock, draw, shortestMs, longestMs }: FrameScheduleOptions): FrameSchedule {
  let lastDrawn = -Infinity;
  let requested = false;
  let waiting = new AbortController();
  let stopped = false;

  const wake = (delayMs: number): void => {
    waiting.abort();
    waiting = new AbortController();
    clock.sleep(delayMs, waiting.signal).then(frame, () => {});
  };
  const frame = (): void => {
    if (stopped) return;
    requested = false;
    lastDrawn = clock.monotonic();
    draw();
    wake(longestMs);
  };
  return {
    request() {
      if (requested || stopped) return;
      requested = true;
      wake(Math.max(0, lastDrawn + shortestMs() - clock.monotonic()));
    },
    stop() {
      stopped = true;
      waiting.abort();
    },
  };
}
