import type { Clock } from "../../../base/clock.ts";

export interface Heartbeat {
  /** Something was printed: it is quiet from now on. */
  heard(): void;
  stop(): void;
}

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly quietMs: number;
  readonly beat: () => void;
}

/** Calls `beat` whenever nothing was heard for `quietMs`: CI systems end jobs that say nothing for long. */
export function startHeartbeat({ clock, quietMs, beat }: HeartbeatOptions): Heartbeat {
  const stopping = new AbortController();
  let lastHeard = clock.monotonic();
  const wake = (): void => {
    if (clock.monotonic() - lastHeard >= quietMs) {
      lastHeard = clock.monotonic();
      beat();
    }
    wait();
  };
  const wait = (): void => {
    clock.sleep(lastHeard + quietMs - clock.monotonic(), stopping.signal).then(wake, () => {});
  };
  wait();
  return {
    heard() {
      lastHeard = clock.monotonic();
    },
    stop() {
      stopping.abort();
    },
  };
}
