// Events that are dropped are lost; requests that wait are not, and a full queue is told to whoever asks. So builders
// take none while the event stream would drop what somebody still needs.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { BuilderBus, EventSpace } from "../../bus/bus.ts";
import type { Priority } from "../../protocol/request.ts";
import { decideIntake, type IntakeFacts } from "./decide-intake.ts";

/** How old our knowledge about the event stream may be. */
const lookMs = 1000;
const minuteMs = 60_000;

export interface WaitForRoomOptions {
  readonly bus: Pick<BuilderBus, "eventSpace">;
  readonly running: () => Omit<IntakeFacts, "space" | "now" | "priority">;
  readonly clock: Clock;
  readonly log: Log;
}

/** The wait rejects with the signal's reason, and with what the bus throws. */
export function createWaitForRoom({
  bus,
  running,
  clock,
  log,
}: WaitForRoomOptions): (priority: Priority, signal: AbortSignal) => Promise<void> {
  let saidAt = Number.NEGATIVE_INFINITY;
  let known: { readonly space: EventSpace; readonly at: number } | undefined;

  async function look(signal: AbortSignal): Promise<EventSpace> {
    if (known === undefined || clock.monotonic() - known.at >= lookMs) {
      known = { space: await bus.eventSpace(signal), at: clock.monotonic() };
    }
    return known.space;
  }

  function say({ bytes, maxBytes, oldestAt }: EventSpace): void {
    if (clock.monotonic() - saidAt < minuteMs) return;
    saidAt = clock.monotonic();
    log.warn({ bytes, maxBytes, oldestAt }, "requests wait: the event stream has no room for more builds");
  }

  return async (priority, signal) => {
    for (;;) {
      const space = await look(signal);
      if (decideIntake({ ...running(), priority, space, now: clock.now() }) === "take") return;
      say(space);
      await clock.sleep(lookMs, signal);
    }
  };
}
