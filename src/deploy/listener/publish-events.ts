// Brings the lines of the journal to NATS, one after the other.
import type { Clock } from "../../base/clock.ts";
import { isUnavailable } from "../../base/errors.ts";
import type { ListenerBus } from "../../bus/deploy-bus.ts";
import type { DeployEvent } from "../../protocol/deploy/deploy-events.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import { decideUnpublished } from "./decide-unpublished.ts";
import type { JournalWatch } from "./journal-watch.ts";
import { waitAtMost } from "./wait-at-most.ts";

export interface EventPublisher {
  readonly bus: ListenerBus;
  readonly journal: JournalWatch;
  readonly readState: (signal: AbortSignal) => Promise<HostState>;
  readonly clock: Clock;
}

/** Somebody may have emptied the stream, or put it back to an older state. */
const compareEveryMs = 60_000;

export async function publishEvents(
  { bus, journal, readState, clock }: EventPublisher,
  signal: AbortSignal,
): Promise<void> {
  const notifier = journal.notifier();
  let last: DeployEvent | undefined;
  let comparedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    if (clock.monotonic() - comparedAt >= compareEveryMs) {
      last = await bus.lastEvent(signal);
      comparedAt = clock.monotonic();
    }
    const unpublished = decideUnpublished(journal.view()?.lines ?? [], last);
    for (const event of unpublished) {
      // A client that waits for the end reads the host's state next.
      if (event.type === "finished" && event === unpublished.at(-1)) {
        await bus.putHostState(await readState(signal), signal).catch(ignoreUnavailable);
      }
      await bus.appendEvent(event, signal);
      last = event;
    }
    await waitAtMost(notifier, compareEveryMs, clock, signal);
  }
}

/** It is published again within a minute. */
function ignoreUnavailable(error: unknown): void {
  if (!isUnavailable(error)) throw error;
}

/** Publishes everything that the journal has now, over a connection that is being proven. */
export async function publishNow(
  bus: ListenerBus,
  lines: Parameters<typeof decideUnpublished>[0],
  signal: AbortSignal,
): Promise<void> {
  for (const event of decideUnpublished(lines, await bus.lastEvent(signal))) {
    await bus.appendEvent(event, signal);
  }
}
