import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { KeptBuilds } from "../kept/kept-builds.ts";
import { buildCommit, type BuildWish } from "./build-commit.ts";

/** To tell a builder that is out of reach that nothing is wanted any more. */
const cancelMs = 5_000;

export interface BuildWithinOptions {
  readonly builds: BuildReader;
  readonly kept?: KeptBuilds;
  readonly log: Log;
  /** It is waited for so long. */
  readonly milliseconds: number;
}

/**
 * A build that only this run wants to know of, and not at any price: when nobody waits for it any more, it ends.
 *
 * @throws what `buildCommit` throws, and when the time is over.
 */
export async function buildWithin(
  { builds, kept, log, milliseconds }: BuildWithinOptions,
  wish: BuildWish,
  signal: AbortSignal,
): Promise<BuildState> {
  const waiting = AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
  try {
    return await buildCommit({ builds, kept }, wish, waiting);
  } catch (error) {
    if (waiting.aborted) {
      await builds
        .control(wish.id, { action: "cancel", requestedBy: wish.requestedBy }, AbortSignal.timeout(cancelMs))
        .catch((failure: unknown) =>
          log.warn({ build: wish.id, err: failure }, "a build that nobody wants goes on"),
        );
    }
    throw error;
  }
}
