// A host's clock against what the host has seen: an order that it obeyed, and the date of what its system was built from.
// Time from the network decides nothing, because whoever sends it could turn old orders into new ones.

/** Clocks of one site differ, so an order may come from one that is this much ahead. */
const slackMs = 5 * 60_000;

export interface ClockFloor {
  /** The latest time of an order that was obeyed. */
  readonly clockFloor?: string;
  /** The time in the policy: the sources of the running system are from then. */
  readonly builtAfter?: string;
}

/** The time that the clock is wrongly below; undefined where it is not below any. */
export function floorAbove(now: Date, { clockFloor, builtAfter }: ClockFloor): string | undefined {
  const [highest] = [clockFloor, builtAfter]
    .filter((time) => time !== undefined)
    .toSorted((a, b) => Date.parse(b) - Date.parse(a));
  return highest !== undefined && now.getTime() < Date.parse(highest) - slackMs ? highest : undefined;
}
