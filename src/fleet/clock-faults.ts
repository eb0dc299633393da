// Clocks that are wrong: of hosts, as they say themselves, and of builders, by what they wrote last.
import type { BuilderStatus } from "../protocol/builder-status.ts";
import type { RunningHost } from "./running-hosts.ts";

export interface ClockFault {
  readonly name: string;
  /** Where it is known; positive when the clock is ahead. */
  readonly offsetMs?: number;
}

/** A message takes its time, so that a small difference means nothing. */
const toleratedMs = 5000;

export function findClockFaults(
  hosts: readonly RunningHost[],
  builders: readonly Pick<BuilderStatus, "name" | "at">[],
  now: Date,
): readonly ClockFault[] {
  return [
    ...builders.flatMap(({ name, at }) => {
      // What is in the future was written by a clock that is ahead; of one that is behind nobody can tell.
      const offsetMs = Date.parse(at) - now.getTime();
      return offsetMs > toleratedMs ? [{ name: `builder ${name}`, offsetMs }] : [];
    }),
    ...hosts.flatMap(({ repo, host, state }) =>
      state === undefined || state.clock.ok
        ? []
        : [{ name: `${repo}/${host}`, offsetMs: state.clock.offsetMs }],
    ),
  ];
}
