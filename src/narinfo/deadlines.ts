import type { Clock } from "../base/clock.ts";

export interface Deadlines {
  /** Calls back when the time is over, unless what is returned was called before. */
  start(limitMs: number, onOver: (error: Error) => void): () => void;
  stop(): void;
}

export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
}

export const noAnswerIn = (limitMs: number): DeadlineError =>
  new DeadlineError(`no whole answer in ${limitMs / 1000} seconds`);

interface Deadline {
  readonly at: number;
  readonly limitMs: number;
  readonly onOver: (error: Error) => void;
}

const lookEveryMs = 100;

/** Many deadlines, watched by one timer: thousands of requests do not need one each. */
export function createDeadlines(clock: Clock): Deadlines {
  const open = new Set<Deadline>();
  const stopped = new AbortController();
  let watching = false;

  async function watch(): Promise<void> {
    watching = true;
    try {
      while (open.size > 0) {
        await clock.sleep(lookEveryMs, stopped.signal);
        const now = clock.monotonic();
        for (const deadline of open) if (deadline.at <= now) end(deadline);
      }
    } catch (error) {
      if (!stopped.signal.aborted) throw error;
    } finally {
      watching = false;
    }
  }

  function end(deadline: Deadline): void {
    open.delete(deadline);
    deadline.onOver(noAnswerIn(deadline.limitMs));
  }

  return {
    start(limitMs, onOver) {
      const deadline = { at: clock.monotonic() + limitMs, limitMs, onOver };
      open.add(deadline);
      if (!watching) void watch();
      return () => open.delete(deadline);
    },
    stop: () => stopped.abort(),
  };
}
