// Builds that are over never change, so those that were looked at last are kept.
import type { BuildState } from "../../protocol/build-state.ts";
import type { BuildId } from "../../protocol/names.ts";

/** A build of a thousand hosts has megabytes. */
const most = 50;

export interface RecentBuilds {
  get(id: BuildId): BuildState | undefined;
  keep(state: BuildState): void;
}

export function createRecentBuilds(): RecentBuilds {
  const kept = new Map<BuildId, BuildState>();
  const keep = (state: BuildState): void => {
    kept.delete(state.id);
    kept.set(state.id, state);
    const [oldest] = kept.keys();
    if (kept.size > most && oldest !== undefined) kept.delete(oldest);
  };
  return {
    get(id) {
      const state = kept.get(id);
      if (state !== undefined) keep(state);
      return state;
    },
    keep,
  };
}
