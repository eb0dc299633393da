// How many derivations one build needs built, and how many are. Nix's own counts are of a process, which may build for
// others too, and a build may be in several processes, one after the other or at a time.
import type { StorePath } from "../../protocol/names.ts";
import type { BuildProgress } from "../../protocol/progress.ts";

export interface DerivationCounts {
  toBuild(drvPaths: Iterable<StorePath>): void;
  /** Nothing of others: what is not to be built for this build does not count. */
  ended(drvPath: StorePath, outcome: "built" | "failed"): void;
  /** Undefined while nothing is to be built. What is built and what is to be built never become less. */
  read(running: Iterable<StorePath>): BuildProgress["builds"];
}

export function createDerivationCounts(): DerivationCounts {
  const needed = new Set<StorePath>();
  const built = new Set<StorePath>();
  const failed = new Set<StorePath>();
  return {
    toBuild(drvPaths) {
      for (const drvPath of drvPaths) needed.add(drvPath);
    },
    ended(drvPath, outcome) {
      if (!needed.has(drvPath)) return;
      failed.delete(drvPath);
      if (outcome === "built") built.add(drvPath);
      else if (!built.has(drvPath)) failed.add(drvPath);
    },
    read(running) {
      if (needed.size === 0) return undefined;
      const now = [...running].filter((drvPath) => needed.has(drvPath)).length;
      return { done: built.size, running: now, failed: failed.size, total: needed.size };
    },
  };
}
