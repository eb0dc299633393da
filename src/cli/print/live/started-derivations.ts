import type { RunningDerivation } from "../../../protocol/progress.ts";

/**
 * The derivations of a progress message that were not in the one before, in their order. Messages name derivations
 * without their hash: of several with the same name, one that ran before has run for longer since.
 */
export function startedDerivations(
  before: readonly RunningDerivation[],
  after: readonly RunningDerivation[],
): RunningDerivation[] {
  const known = Map.groupBy(before, ({ name }) => name);
  return after.filter(({ name, elapsedMs }) => {
    const candidates = known.get(name) ?? [];
    const same = candidates.findIndex((candidate) => candidate.elapsedMs < elapsedMs);
    if (same >= 0) candidates.splice(same, 1);
    return same < 0;
  });
}
