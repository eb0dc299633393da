import type { Commit, HostName, RepoName, StorePath } from "../protocol/names.ts";
import type { Revision } from "../protocol/overrides.ts";

/** Links that keep the garbage collector away, in our own state directory and registered with Nix. */
export interface GcRoots {
  /**
   * Protects a host's derivation and its output, which need not exist yet: before the build, so that there is no
   * moment in which it is built and not protected.
   * @throws HomelabError `unavailable` when Nix does not take the registration.
   */
  protect(roots: readonly HostRoots[], signal: AbortSignal): Promise<void>;
  /** Until it is disposed, or the signal aborts, nobody on this machine drops roots of these commits. */
  use(commits: readonly UsedCommit[], signal: AbortSignal): Promise<AsyncDisposable>;
  /** Everything that is rooted, in no order. */
  list(): Promise<readonly RootedCommit[]>;
  /** Drops the roots of these hosts; none of them when a build uses the commit, or has since it was listed. */
  drop(planned: RootedCommit, hosts: readonly HostName[], signal: AbortSignal): Promise<"dropped" | "in-use">;
  /** Keeps a commit for good, with the reason; or, with undefined, no longer. False when nothing of it is rooted. */
  pin(repo: RepoName, commit: Commit, reason: string | undefined): Promise<boolean>;
}

export interface HostRoots extends Revision {
  readonly repo: RepoName;
  readonly host: HostName;
  readonly drvPath: StorePath;
  readonly outPath: StorePath;
}

/** A commit whose roots a build needs. */
export interface UsedCommit extends Revision {
  readonly repo: RepoName;
  /** It was the tip of the configured branch. */
  readonly isHead: boolean;
}

/** What is rooted of a commit, or of one with overrides. */
export interface RootedCommit extends Revision {
  readonly repo: RepoName;
  /** When its roots were last asked for. */
  readonly usedAt: Date;
  /** At some time it was the tip of the configured branch. */
  readonly wasHead: boolean;
  /** Why somebody wants it kept; absent when nobody does. */
  readonly pin?: string;
  /** The systems, built or not. */
  readonly hosts: ReadonlyMap<HostName, StorePath>;
}
