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
   *   remote does not answer or refuses us, or `GIT_MIRROR` when our copy cannot be written; `failed` with code
   *   `GIT_REFUSED` when git's checks refuse that commit, or one that it stands on, each time.
   */
  resolveBranch(branch: BranchName, signal: AbortSignal): Promise<Commit>;

  /**
   * Makes sure that the commit is here, fetching it when needed. It must be on one of the remote's branches, or have
   * been here before.
   * @throws HomelabError `usage` with code `UNKNOWN_COMMIT`; `unavailable` with code `GIT_REMOTE`; `failed` with
   *   code `GIT_REFUSED` when git's checks refuse it.
   */
  ensureCommit(commit: Commit, signal: AbortSignal): Promise<void>;

  /** The text of a file at a commit that is here; undefined where there is none, or git cannot read it. */
  readFile(commit: Commit, path: string, signal: AbortSignal): Promise<string | undefined>;
}

/** A commit that we make: the parent with some files replaced. The same content gives the same hash. */
export interface NewCommit {
  readonly parent: Commit;
  /** By their path in the repository. */
  readonly files: ReadonlyMap<string, string>;
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  /** The date of author and committer. */
  readonly date: Date;
}

export interface CommitFacts {
  readonly parents: readonly Commit[];
  readonly authorEmail: string;
  /** What the committer's clock said, to the second. */
  readonly committedAt: Date;
  readonly message: string;
  /** Against its first parent. */
  readonly changedFiles: readonly string[];
}

/** One commit of a history. */
export interface Revision {
  readonly rev: Commit;
  readonly committedAt: Date;
  /** The first line of its message: text from outside, of at most 200 characters. */
  readonly subject: string;
}

export interface RevisionRange {
  readonly from: Commit;
  readonly to: Commit;
  /** Nothing that was committed before it is fetched: the time of `from`, or earlier. */
  readonly since: Date;
}

/** The commits from one to a later one, each the first parent of the next. */
export type RevisionsFound =
  | {
      readonly type: "found";
      /** The first parent of the first: `from` itself, unless that came in by a merge. */
      readonly before: Commit;
      /** Oldest first, the last is `to`. */
      readonly revisions: readonly Revision[];
    }
  /** Why they cannot be had, in a clause. Has text from outside. */
  | { readonly type: "unreachable"; readonly reason: string };

/**
 * How a commit stands to an earlier one: on it, below it, or both on a third. Or why it is unknown, in a clause that
 * has text from outside.
 */
export type CommitRelation =
  | { readonly type: "forward" | "back" | "apart" }
  | { readonly type: "unreachable"; readonly reason: string };

/** Reads the history of any repository, without its files. */
export interface RevisionReader {
  between(range: RevisionRange, signal: AbortSignal): Promise<RevisionsFound>;
  /** How `to` relates to `from`. */
  relation(range: RevisionRange, signal: AbortSignal): Promise<CommitRelation>;
}

/** A ref of the remote that is to move from exactly one value to another; absent is a value too. */
export interface RefChange {
  /** `refs/heads/master` */
  readonly ref: string;
  readonly from: Commit | undefined;
  readonly to: Commit | undefined;
}

/**
 * - `pushed`: the remote has it, perhaps since an earlier try
 * - `moved`: the ref has another value than `from`
 * - `refused`: the server does not allow it, with its words; trying again does not help
 */
export type PushResult =
  | { readonly type: "pushed" | "moved" }
  | { readonly type: "refused"; readonly reason: string };

/** A repo that is also written to. Nothing is ever forced: a ref moves only from the value that we know. */
export interface Repository {
  readonly mirror: Mirror;
  /** The text of a file at a commit; undefined where there is none. */
  readFile(commit: Commit, path: string, signal: AbortSignal): Promise<string | undefined>;
  /** The whole tree at a commit in a directory of its own, with git's knowledge of it; removed when disposed. */
  checkOut(commit: Commit, signal: AbortSignal): Promise<AsyncDisposable & { readonly directory: string }>;
  commit(commit: NewCommit, signal: AbortSignal): Promise<Commit>;
  facts(commit: Commit, signal: AbortSignal): Promise<CommitFacts>;
  isAncestor(ancestor: Commit, descendant: Commit, signal: AbortSignal): Promise<boolean>;
  /** Refs of the remote below a prefix such as `refs/heads/flake-update/`, or the one of that name. */
  remoteRefs(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, Commit>>;
  /** The commit that a ref of the remote points to, with its facts. The ref need not be a branch. */
  readRemote(
    ref: string,
    signal: AbortSignal,
  ): Promise<{ readonly commit: Commit; readonly facts: CommitFacts } | undefined>;
  /**
   * Moves refs of the remote, all or none. After a lost answer it asks the remote what happened to it.
   * @throws HomelabError `unavailable` `GIT_REMOTE` when that cannot be found out.
   */
  push(changes: readonly RefChange[], signal: AbortSignal): Promise<PushResult>;
}
