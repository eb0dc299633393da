// What differs between the versions of Gitea.
import type { ForgeCapabilities, ForgeKind } from "../forge.ts";

export interface GiteaDialect {
  readonly kind: Extract<ForgeKind, "gitea" | "forgejo">;
  /** As `GET /version` says it. */
  readonly version: string;
  readonly capabilities: ForgeCapabilities;
  /** `GET /pulls` knows `base_branch` (Gitea 1.24). It only saves pages: the answer is filtered here in any case. */
  readonly filtersByBase: boolean;
}

export const giteaCapabilities: ForgeCapabilities = {
  attachments: true,
  // Names of labels that do not exist are ignored without a word.
  labelsByName: false,
  // Gitea has no limit; pages with more than this are slow to show.
  maxBodyBytes: 1_000_000,
  casBranch: false,
  fastForwardMerge: false,
};

export function giteaDialect(version: string): GiteaDialect {
  const from = (minor: number): boolean => isAtLeast(version, minor);
  return {
    kind: "gitea",
    version,
    capabilities: { ...giteaCapabilities, casBranch: from(26), fastForwardMerge: from(22) },
    filtersByBase: from(24),
  };
}

/** A version that cannot be read is taken for the oldest: less is asked of it. */
function isAtLeast(version: string, minor: number): boolean {
  const numbers = /^v?(?<major>\d+)\.(?<minor>\d+)/.exec(version)?.groups;
  const major = Number(numbers?.["major"] ?? 0);
  return major > 1 || (major === 1 && Number(numbers?.["minor"] ?? 0) >= minor);
}
