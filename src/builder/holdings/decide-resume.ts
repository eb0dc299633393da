import { type BuilderStatus, presence } from "../../protocol/builder-status.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { BuildEvent } from "../../protocol/events.ts";
import type { BuilderName } from "../../protocol/names.ts";
import type { Ending } from "../record/end-build.ts";

/**
 * Whether this builder should continue with a build that is not over and that it does not hold: when it held it in
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

/**
 * Whether a build that has lost its first events is ended by whoever finds it. Who accepted it cannot be read any more:
 * it is nobody's when no builder that is there says that it holds it, and its last event is old.
 */
export function isAbandoned(last: BuildEvent, builders: readonly BuilderStatus[], now: Date): boolean {
  const isOld = (at: string): boolean => now.getTime() - Date.parse(at) > presence.goneAfterMs;
  return isOld(last.at) && builders.every(({ at, builds }) => isOld(at) || !builds.includes(last.build));
}

/** How often a build is resumed without any progress afterwards. */
const mostResumesInVain = 3;

/** Why a build is not resumed again; undefined if it is. */
export function decideGivingUp(events: readonly BuildEvent[], state: BuildState): Ending | undefined {
  if (state.isPartial === true) {
    return {
      verdict: "infra-failed",
      reason: "the builder stopped before it had stored all hosts of this build: ask for it again",
    };
  }
  const lastWord = events.findLastIndex(({ type }) => type !== "resumed");
  if (events.length - 1 - lastWord < mostResumesInVain) return undefined;
  return {
    verdict: "infra-failed",
    reason: `the build was resumed ${mostResumesInVain} times, and each time the builder stopped before it made progress: see its log`,
    code: "GIVEN_UP",
  };
}
