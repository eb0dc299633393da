// Whether the build under the id of our request is the one that we asked for.
import { HomelabError } from "../../base/errors.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { Commit } from "../../protocol/names.ts";
import { buildTaken, requestDigest } from "../../protocol/request-digest.ts";
import type { BuildRequest } from "../../protocol/request.ts";
import type { Target } from "../../protocol/subjects.ts";

/** What an accepted build is compared with. */
export interface AskedFor {
  /** Its `requestDigest`. */
  readonly about: string;
  /** Where hosts that did not change are to be left out. */
  readonly changed?: {
    readonly since: Commit;
    /** What a builder that does not know the field takes the request to be about. */
    readonly everything: string;
  };
}

/** @returns what to compare the build of this request with. */
export function describeRequest(target: Target, request: BuildRequest): AskedFor {
  const { changedSince: since, ...everything } = request;
  return {
    about: requestDigest(target, request),
    ...(since === undefined ? {} : { changed: { since, everything: requestDigest(target, everything) } }),
  };
}

/**
 * @returns why the build is another one than we asked for: somebody else used the id, or the builder is of a release
 *   that ignores part of the request. Undefined while nothing contradicts the request.
 */
export function decideOtherBuild(
  { about, changed }: AskedFor,
  state: Pick<BuildState, "id" | "about" | "startedAt" | "changedSince" | "builder">,
): HomelabError | undefined {
  const isEverything =
    changed !== undefined &&
    state.startedAt !== undefined &&
    state.changedSince === undefined &&
    // Builders that do not say what a build is about are older still.
    (state.about === undefined || state.about === changed.everything);
  if (isEverything) {
    return new HomelabError(
      "config",
      `${state.builder === undefined ? "this builder" : `the builder ${state.builder}`} does not know --changed-since and would build every host; build ${state.id} is cancelled`,
      {
        code: "BUILDER_OUTDATED",
        hint: "upgrade the builder to this command's release, or omit --changed-since",
      },
    );
  }
  return state.about === undefined || state.about === about ? undefined : buildTaken(state.id);
}
