// Forgejo, where it is not like Gitea: everything else is in gitea.ts.
import { giteaCapabilities, type GiteaDialect } from "./dialect.ts";

/** Forgejo says which Gitea it is compatible with: `15.0.1+gitea-1.22.0`. */
export const isForgejo = (version: string): boolean => version.includes("gitea-");

/**
 * Forgejo has no `PUT /branches/{branch}` and no `base_branch` filter (15.0.9), and refuses writes beyond a quota with
 * 413. Fast-forward merges came with version 7 (Gitea 1.22), the oldest that it supports.
 */
export function forgejoDialect(version: string): GiteaDialect {
  return {
    kind: "forgejo",
    version,
    capabilities: { ...giteaCapabilities, fastForwardMerge: true },
    filtersByBase: false,
  };
}
