// A host whose toplevel is built has its verdict while the process still builds others.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { ReadyWork } from "../work.ts";

/** How long a finished toplevel waits for others, to be asked for in the same question to the store. */
const gatherMs = 300;

export interface EarlyVerdicts {
  stopped(drvPath: StorePath, signal: AbortSignal): void;
  /** No more questions are asked; resolves when the last one is answered. */
  end(): Promise<void>;
}

export interface EarlyVerdictsOptions {
  readonly works: readonly ReadyWork[];
  readonly clock: Clock;
  readonly log: Log;
  readonly settleBuilt: (works: readonly ReadyWork[], signal: AbortSignal) => Promise<void>;
}

export function createEarlyVerdicts({ works, clock, log, settleBuilt }: EarlyVerdictsOptions): EarlyVerdicts {
  const ended = new AbortController();
  const done = new Set<ReadyWork>();
  let asking: Promise<void> | undefined;

  async function ask(signal: AbortSignal): Promise<void> {
    try {
      await clock.sleep(gatherMs, signal);
      const asked = [...done];
      done.clear();
      await settleBuilt(asked, signal);
    } catch (error) {
      // The question is asked again when the process has ended.
      if (!signal.aborted) log.debug({ err: error }, "early verdicts were not possible");
    } finally {
      asking = undefined;
    }
  }

  return {
    stopped(drvPath, signal) {
      const tops = works.filter((work) => work.evaluation.drvPath === drvPath);
      for (const work of tops) done.add(work);
      if (tops.length > 0 && !ended.signal.aborted) asking ??= ask(AbortSignal.any([signal, ended.signal]));
    },
    async end() {
      ended.abort();
      await asking;
    },
  };
}
