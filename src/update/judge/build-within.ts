import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { KeptBuilds } from "../kept/kept-builds.ts";
import { buildCommit, type BuildSpecification } from "./build-commit.ts";

/** To tell a builder that cannot be reached that nothing is wanted any more. */
const cancelMs = 5_000;

export interface BuildWithinOptions {
  readonly builds: BuildReader;
  readonly kept?: KeptBuilds;
  readonly log: Log;
  /** It is waited for so long. */
  readonly milliseconds: number;
}

/**
 * A build that only this run needs, within a limited time: it ends when nobody waits for it any more.
 *
 * @throws what `buildCommit` throws, and when the time is over.
 */
export async function buildWithin(
  { builds, kept, log, milliseconds }: BuildWithinOptions,
  specification: BuildSpecification,
  signal: AbortSignal,
): Promise<BuildState> {
  const waiting = AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
  try {
    return await buildCommit({ builds, kept }, specification, waiting);
  } catch (error) {
    if (waiting.aborted) {
      await builds
        .control(
          specification.id,
          { action: "cancel", requestedBy: specification.requestedBy },
          AbortSignal.timeout(cancelMs),
        )
        .catch((failure: unknown) =>
          log.warn({ build: specification.id, err: failure }, "an unneeded build could not be cancelled"),
        );
    }
    throw error;
  }
}
