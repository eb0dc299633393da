// What the services need of git. `createMirror` (mirror.ts) is the real one.
import type { BranchName, Commit } from "../protocol/names.ts";

/**
 * Our own bare copy of a repo. Every commit that `resolveBranch` or `ensureCommit` gave has the ref
 * `refs/homelab-deploy/<commit>`, so that no forced push takes it away. Nix needs that ref too: version 2.8 reads a
 * bare repository with `?rev=` alone only where it has a branch `master`, so name it as `?ref=` beside `?rev=`.
 */
export interface Mirror {
  /** Absolute path of the bare repository. */
  readonly path: string;

  /**
   * The commit that the remote's branch is at now. Asks the remote each time, and fetches only when it moved.
   * @throws HomelabError `usage` with code `UNKNOWN_BRANCH`; `unavailable` with code `GIT_REMOTE` when the
   *   remote does not answer or refuses us, or `GIT_MIRROR` when our copy cannot be written.
   */
  resolveBranch(branch: BranchName, signal: AbortSignal): Promise<Commit>;

  /**
   * Makes sure that the commit is here, fetching it when needed. It must be on one of the remote's branches, or have
   * been here before.
   * @throws HomelabError `usage` with code `UNKNOWN_COMMIT`; `unavailable` with code `GIT_REMOTE`.
   */
  ensureCommit(commit: Commit, signal: AbortSignal): Promise<void>;
}
