// Derivations that were built, and whose `post-build-hook` did not succeed. Nix runs the hook once, when an output is
// new, and never for an output that is valid: what it was to do, such as an upload, stays undone until somebody does it.
import type { StorePath } from "../../protocol/names.ts";
import type { BrokenHook } from "./hook-watch.ts";

export interface FailedHook extends BrokenHook {
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface FailedHooks {
  /** By derivation, the newest last. */
  all(): ReadonlyMap<StorePath, FailedHook>;
  /** What broke, and of which derivations the hook has succeeded since. */
  learn(broken: readonly FailedHook[], succeeded: ReadonlySet<StorePath>): void;
}

const mostKept = 1000;
/** Long enough that somebody has read of it; a cache that nobody missed until then misses nothing. */
export const keptDays = 30;

/**
 * @param known hooks that failed in earlier runs
 * @param save is told all that is known whenever that changes
 */
export function createFailedHooks(
  known: readonly FailedHook[] = [],
  save: (all: readonly FailedHook[]) => void = () => undefined,
): FailedHooks {
  const hooks = new Map(known.map((hook) => [hook.drvPath, hook]));
  return {
    all: () => hooks,
    learn(broken, succeeded) {
      const forgotten = [...succeeded].filter((drvPath) => hooks.delete(drvPath));
      for (const hook of broken) {
        hooks.delete(hook.drvPath);
        hooks.set(hook.drvPath, hook);
      }
      for (const oldest of hooks.keys().take(Math.max(0, hooks.size - mostKept))) hooks.delete(oldest);
      if (broken.length + forgotten.length > 0) save([...hooks.values()]);
    },
  };
}
