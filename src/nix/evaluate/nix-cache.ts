// Nix's own cache of what it fetched: clones of git repositories, unpacked tarballs, what was fetched when. It saves work
// only, and this one is ours alone: no user's Nix has it.
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../../base/errors.ts";
import type { Environment } from "../nix-environment.ts";

export interface NixCache {
  /** Grows when the cache is dropped. */
  generation(): number;
  /**
   * Empties it, once in the life of this process: damage that comes again is elsewhere. Says whether it is another now
   * than it was in that generation, so that a retry makes sense.
   */
  replace(since: number, reason: string): Promise<boolean>;
}

export function createNixCache(
  environment: Environment,
  onDropped: (reason: string) => void = () => undefined,
): NixCache {
  let dropping: Promise<void> | undefined;
  let generation = 0;

  async function drop(directory: string): Promise<void> {
    const aside = `${directory}-damaged-${process.pid}`;
    try {
      // In one step, for the processes that use it now.
      await rename(directory, aside);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
    }
    generation++;
    await rm(aside, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }

  return {
    generation: () => generation,
    async replace(since, reason) {
      const cache = environment["XDG_CACHE_HOME"];
      if (cache === undefined) return false; // then it would be the user's
      if (dropping === undefined) {
        onDropped(reason);
        dropping = drop(join(cache, "nix"));
      }
      await dropping.catch(() => undefined);
      return generation > since;
    },
  };
}
