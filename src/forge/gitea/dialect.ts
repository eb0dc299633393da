// What differs between Gitea, its versions, and Forgejo.
import { isAtLeast } from "../../base/version.ts";
import type { ForgeKind } from "../forge.ts";

export interface GiteaDialect {
  readonly kind: Extract<ForgeKind, "gitea" | "forgejo">;
  /** As `GET /version` says it. */
  readonly version: string;
  /** Pull requests can be merged by fast-forward alone. */
  readonly fastForwardMerge: boolean;
  /** `GET /pulls` knows `base_branch` (Gitea 1.24). It only saves pages: the answer is filtered here in any case. */
  readonly filtersByBase: boolean;
}

/**
 * Forgejo says which Gitea it is compatible with: `15.0.1+gitea-1.22.0`. It has no `base_branch` filter (15.0.9), and
 * refuses writes beyond a quota with 413. Fast-forward merges came with version 7 (Gitea 1.22), the oldest that it
 * supports.
 */
export function dialectOf(version: string): GiteaDialect {
  if (version.includes("gitea-")) {
    return { kind: "forgejo", version, fastForwardMerge: true, filtersByBase: false };
  }
  // A version that cannot be read is taken for the oldest: less is asked of it.
  return {
    kind: "gitea",
    version,
    fastForwardMerge: isAtLeast(version, "1.22"),
    filtersByBase: isAtLeast(version, "1.24"),
  };
}
