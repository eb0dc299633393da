// Finds builds that were accepted and are not over, and that nobody holds: after a restart, after a crash, after
// another builder went away. The event log is the state; the queue was only the doorbell.
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { retry, type RetryPolicy } from "../base/retry.ts";
import type { BuilderBus } from "../bus/bus.ts";
import { foldEvents } from "../protocol/build-state.ts";
import { isTerminal } from "../protocol/events.ts";
import type { BuilderName, BuildId } from "../protocol/names.ts";
import { shouldResume } from "./decide-resume.ts";
import type { Holdings } from "./holdings.ts";
import type { RequestResolver } from "./resolve-request.ts";

const sweepMs = 30_000;

export interface SweeperOptions {
  readonly bus: BuilderBus;
  readonly holdings: Holdings;
  readonly resolver: RequestResolver;
  readonly builder: BuilderName;
  readonly clock: Clock;
  readonly log: Log;
  readonly retryPolicy: RetryPolicy;
}

/** Sweeps at once and then regularly until the signal aborts. */
export async function runSweeper(options: SweeperOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  const over = new Set<BuildId>();
  for (;;) {
    try {
      await sweep(options, over, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ error: messageOf(error) }, "open builds could not be looked for");
    }
    await clock.sleep(sweepMs, signal);
  }
}

async function sweep(options: SweeperOptions, over: Set<BuildId>, signal: AbortSignal): Promise<void> {
  const { bus, holdings, resolver, builder, clock, log, retryPolicy } = options;
  const ids = await bus.listBuilds(signal);
  for (const id of over) if (!ids.includes(id)) over.delete(id);
  for (const id of ids) {
    if (over.has(id) || holdings.holds(id)) continue;
    try {
      const last = await bus.lastEvent(id, signal);
      if (last === undefined) continue;
      if (isTerminal(last)) {
        over.add(id);
        continue;
      }
      const events = await bus.readEvents(id, 0, signal);
      const state = foldEvents(id, events);
      if (!shouldResume(state, builder, await bus.listBuilders(signal), clock.now())) continue;
      await holdings.resume(events, (resumed) =>
        retry({
          policy: retryPolicy,
          clock,
          signal,
          attempt: () => resolver.sourcesOf(resumed.sources, signal),
          isTransient: () => true,
        }),
      );
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ build: id, error: messageOf(error) }, "a build could not be resumed yet");
    }
  }
}
