// How long a build will still take, guessed from how long derivations of these names took before.

export interface StartedWork {
  /** Undefined for a derivation that nothing is known about. */
  readonly usualMs: number | undefined;
  readonly elapsedMs: number;
}

/** A derivation without a known time may be over in a moment. If it runs longer than this, no estimate is possible. */
const patienceMs = 10_000;

/**
 * Milliseconds; undefined where too little is known to say anything. Derivations wait for others of their graph, so it is
 * at least what the longest takes; what nothing is known about counts for nothing, because what takes less than a second is
 * not learnt.
 *
 * @param waiting how long each usually takes that has not started, as far as it is known
 * @param slots how many are built at a time
 */
export function decideTimeLeft(
  waiting: Iterable<number>,
  running: Iterable<StartedWork>,
  slots: number,
): number | undefined {
  let work = 0;
  let longest = 0;
  const add = (leftMs: number): void => {
    work += leftMs;
    longest = Math.max(longest, leftMs);
  };
  for (const { usualMs, elapsedMs } of running) {
    if (usualMs === undefined && elapsedMs > patienceMs) return undefined;
    add(Math.max(0, (usualMs ?? 0) - elapsedMs));
  }
  for (const usualMs of waiting) add(usualMs);
  return work === 0 ? undefined : Math.round(Math.max(longest, work / Math.max(1, slots)));
}
