// The state of the host for those who only want to know, such as a scrape: the one that was read last, while it is new
// enough. Reading one asks systemd, and nobody on the network may make us do that at will.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";

type ReadState = (signal: AbortSignal) => Promise<HostState>;

export interface RecentState {
  /** As given, and kept for `recent`. */
  readonly read: ReadState;
  /** Undefined when the machine does not answer in time. Never throws. */
  readonly recent: (signal: AbortSignal) => Promise<HostState | undefined>;
}

/** The listener itself reads it every 30 s while NATS is there: a scrape then reads nothing. */
const freshMs = 40_000;
const patienceMs = 2_000;

export function createRecentState(readState: ReadState, clock: Clock, log: Log): RecentState {
  let last: { readonly state: HostState; readonly at: number } | undefined;
  let reading: Promise<HostState> | undefined;

  async function read(signal: AbortSignal): Promise<HostState> {
    const state = await readState(signal);
    last = { state, at: clock.monotonic() };
    return state;
  }

  async function recent(signal: AbortSignal): Promise<HostState | undefined> {
    if (last !== undefined && clock.monotonic() - last.at < freshMs) return last.state;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const late = clock.sleep(patienceMs, either).then(
      () => undefined,
      () => undefined,
    );
    try {
      reading ??= read(either).finally(() => (reading = undefined));
      return await Promise.race([reading, late]);
    } catch (error) {
      if (!signal.aborted)
        log.debug({ err: error }, "the state of this host could not be read for its metrics");
      return undefined;
    } finally {
      over.abort(new Error("the metrics wait no longer"));
    }
  }

  return { read, recent };
}
