// Puts what the host is like into its bucket: on every change, and each minute so that everybody sees that it is there.
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../base/clock.ts";
import type { Notifier } from "../../base/notifier.ts";
import { isUnavailable } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ListenerBus } from "../../bus/deploy-bus.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import { whatMatters } from "./compose-host-state.ts";
import { waitAtMost } from "./wait-at-most.ts";

export interface StatePublisher {
  readonly bus: ListenerBus;
  readonly readState: (signal: AbortSignal) => Promise<HostState>;
  /** Rings when a deployment has got on. */
  readonly changed: Notifier;
  readonly clock: Clock;
  readonly log: Log;
}

/** For what somebody does by hand. */
const lookEveryMs = 15_000;
/** A minute, ±10 %. */
const sayEveryMs = (random: number): number => 54_000 + 12_000 * random;
const firstPauseMs = (random: number): number => 60_000 * random;
/** A deployment takes many steps in a second: they are published as one change. */
const settleMs = 500;

export async function publishState(
  { bus, readState, changed, clock, log }: StatePublisher,
  signal: AbortSignal,
): Promise<void> {
  let said: object | undefined;
  let nextAt = 0;
  let isFirst = true;
  while (!signal.aborted) {
    const state = await readState(signal);
    if (clock.monotonic() >= nextAt || !isDeepStrictEqual(whatMatters(state), said)) {
      try {
        await bus.putHostState(state, signal);
        said = whatMatters(state);
      } catch (error) {
        if (signal.aborted) return;
        if (!isUnavailable(error)) throw error;
        log.warn({ err: error }, "the state of this host could not be stored");
      }
      // After the first one anywhere in the minute: hosts that start together must not report together forever.
      const pause = isFirst ? firstPauseMs(Math.random()) : sayEveryMs(Math.random());
      isFirst = false;
      nextAt = clock.monotonic() + pause;
    }
    const left = nextAt - clock.monotonic();
    await waitAtMost(changed, Math.min(lookEveryMs, left), clock, signal);
    await clock.sleep(settleMs, signal).catch(() => undefined);
  }
}
