import type { BuilderStatus } from "../protocol/builder-status.ts";
import { presence } from "../protocol/builder-status.ts";
import type { BuildState } from "../protocol/build-state.ts";
import type { BuilderName } from "../protocol/names.ts";

/**
 * Whether this builder should go on with a build that is not over and that it does not hold: when it held it in
 * an earlier run, or when its holder was not seen for long. A holder that is only slow loses nothing but time:
 * the server refuses what it appends after us.
 */
export function shouldResume(
  state: BuildState,
  me: BuilderName,
  builders: readonly BuilderStatus[],
  now: Date,
): boolean {
  if (state.builder === undefined || state.builder === me) return true;
  const holder = builders.find((status) => status.name === state.builder);
  return holder === undefined || now.getTime() - Date.parse(holder.at) > presence.goneAfterMs;
}
