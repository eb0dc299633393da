// What differs between Gitea, its versions, and Forgejo.
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
  const from = (minor: number): boolean => isAtLeast(version, minor);
  return { kind: "gitea", version, fastForwardMerge: from(22), filtersByBase: from(24) };
}

/** A version that cannot be read is taken for the oldest: less is asked of it. */
function isAtLeast(version: string, minor: number): boolean {
  const numbers = /^v?(?<major>\d+)\.(?<minor>\d+)/.exec(version)?.groups;
  const major = Number(numbers?.["major"] ?? 0);
  return major > 1 || (major === 1 && Number(numbers?.["minor"] ?? 0) >= minor);
}
