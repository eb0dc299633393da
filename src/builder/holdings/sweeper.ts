// Finds builds that were accepted and are not over, and that nobody holds: after a restart, after a crash, after
// another builder went away. The event log is the state; the queue was only the notifier.
import type { Clock } from "../../base/clock.ts";
import { isUnavailable } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { retry, type RetryPolicy } from "../../base/retry.ts";
import { hasLostEvents, type BuilderBus } from "../../bus/bus.ts";
import { foldEvents, type BuildState } from "../../protocol/build-state.ts";
import { isTerminal, type BuildEvent } from "../../protocol/events.ts";
import type { BuilderName, BuildId } from "../../protocol/names.ts";
import { decideGivingUp, isAbandoned, shouldResume } from "./decide-resume.ts";
import type { Holdings } from "./holdings.ts";
import type { RequestResolver } from "../intake/resolve-request.ts";

const sweepMs = 30_000;
/** Builds that are looked at in each sweep although they have a row. */
const atOnce = 100;

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
  /** A build whose repo does not answer must not keep others waiting. */
  const resuming = new Set<Promise<void>>();
  try {
    for (;;) {
      try {
        await sweep(options, over, resuming, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ err: error }, "open builds could not be looked for");
      }
      await clock.sleep(sweepMs, signal);
    }
  } finally {
    await Promise.allSettled(resuming);
  }
}

async function sweep(
  options: SweeperOptions,
  over: Set<BuildId>,
  resuming: Set<Promise<void>>,
  signal: AbortSignal,
): Promise<void> {
  const { bus, holdings, builder, clock, log } = options;
  const cannotResume = (id: BuildId, error: unknown): void => {
    if (!signal.aborted) log.warn({ build: id, err: error }, "a build could not be resumed yet");
  };
  const ids = new Set(await bus.listBuilds(signal));
  for (const id of over) if (!ids.has(id)) over.delete(id);
  const open = [...ids].filter((id) => !over.has(id) && !holdings.holds(id));
  for (const id of await nextOf(options, open, signal)) {
    if (holdings.holds(id)) continue;
    try {
      const last = await bus.lastEvent(id, signal);
      if (last === undefined) continue;
      if (isTerminal(last)) {
        over.add(id);
        continue;
      }
      const events = await readOrEnd(options, last, signal);
      if (events === undefined) continue;
      const state = foldEvents(id, events);
      if (!shouldResume(state, builder, await bus.listBuilders(signal), clock.now())) continue;
      const task = goOn(options, events, state, signal)
        .catch((error: unknown) => cannotResume(id, error))
        .finally(() => resuming.delete(task));
      resuming.add(task);
    } catch (error) {
      signal.throwIfAborted();
      cannotResume(id, error);
    }
  }
}

/** The next few of many builds. Those that have a row are over, unless the server was restored to an older state. */
async function nextOf(
  { bus }: SweeperOptions,
  open: readonly BuildId[],
  signal: AbortSignal,
): Promise<readonly BuildId[]> {
  if (open.length <= atOnce) return open;
  const stored = await bus.results.builds(signal);
  const newest = open.slice(0, atOnce);
  const rest = open.slice(atOnce);
  return [
    ...newest,
    ...rest.filter((id) => !stored.has(id)),
    ...rest.filter((id) => stored.has(id)).slice(0, atOnce),
  ];
}

/** Undefined for a build that has lost its first events: nobody can continue with it, so it ends when nobody holds it. */
async function readOrEnd(
  { bus, holdings, clock }: SweeperOptions,
  last: BuildEvent,
  signal: AbortSignal,
): Promise<readonly BuildEvent[] | undefined> {
  try {
    return await bus.readEvents(last.build, 0, signal);
  } catch (error) {
    if (!hasLostEvents(error)) throw error;
    if (isAbandoned(last, await bus.listBuilders(signal), clock.now())) {
      const reason = "its first events are gone, and no builder works on it any more: request it again";
      await holdings.endUnread(last, { verdict: "infra-failed", reason });
    }
    return undefined;
  }
}

async function goOn(
  { holdings, resolver, clock, retryPolicy }: SweeperOptions,
  events: readonly BuildEvent[],
  state: BuildState,
  signal: AbortSignal,
): Promise<void> {
  const ending = decideGivingUp(events, state);
  if (ending !== undefined) return holdings.end(events, ending);
  return holdings.resume(events, (resumed) =>
    retry({
      policy: retryPolicy,
      clock,
      signal,
      attempt: () => resolver.sourcesOf(resumed, signal),
      isTransient: isUnavailable,
    }),
  );
}
