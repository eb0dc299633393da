// What the services need of git. `createMirror` (mirror.ts) is the real one.
import type { BranchName, Commit } from "../protocol/names.ts";

/** Our own bare copy of a repo. */
export interface Mirror {
  /** Absolute path of the bare repository. */
  readonly path: string;

  /**
   * The commit that the remote's branch is at now. Asks the remote each time, and fetches only when it moved.
   * @throws HomelabError `usage` with code `UNKNOWN_BRANCH`; `unavailable` with code `GIT_REMOTE` when the
   *   remote does not answer or refuses us.
   */
  resolveBranch(branch: BranchName, signal: AbortSignal): Promise<Commit>;

  /**
   * Makes sure that the commit is here, fetching it when needed.
   * @throws HomelabError `usage` with code `UNKNOWN_COMMIT`; `unavailable` with code `GIT_REMOTE`.
   */
  ensureCommit(commit: Commit, signal: AbortSignal): Promise<void>;
}
