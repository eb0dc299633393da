// How long derivations usually take, from how long those of the same name took before.

export interface UsualDurations {
  /** In milliseconds, of a derivation such as `linux-6.18.4`; undefined when none like it was built yet. */
  of(derivation: string): number | undefined;
  /** What just was built, by name, in milliseconds. Resolves when it is kept. */
  learn(took: ReadonlyMap<string, number>): Promise<void>;
}

/** The newest durations by name without version, the name that was learnt last at the end. In milliseconds. */
export type DurationHistory = Map<string, readonly number[]>;

export const historyBounds = { names: 2000, durations: 10 } as const;

const version = /-\d[^-]*?(?<extension>(?:\.[a-z][a-z0-9]*)*)(?=-|$)/g;

/**
 * What the versions of a derivation have in common: `linux` of `linux-6.18.4`, but `linux-modules` of
 * `linux-6.18.4-modules` and `linux.tar.xz` of `linux-6.18.4.tar.xz`, which are other work.
 */
export const nameWithoutVersion = (derivation: string): string => derivation.replace(version, "$<extension>");

/** Keeps the newest of each name, and of names those that were learnt last. */
export function recordDuration(history: DurationHistory, derivation: string, milliseconds: number): void {
  const name = nameWithoutVersion(derivation);
  const durations = [...(history.get(name) ?? []), Math.round(milliseconds)].slice(-historyBounds.durations);
  history.delete(name);
  history.set(name, durations);
  if (history.size > historyBounds.names) for (const oldest of history.keys().take(1)) history.delete(oldest);
}

export const usualDuration = (history: DurationHistory, derivation: string): number | undefined =>
  median(history.get(nameWithoutVersion(derivation)) ?? []);

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? undefined : Math.round((low + high) / 2);
}
