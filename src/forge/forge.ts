// What an update needs of a forge. `createForge` (create-forge.ts) gives the real ones.
import type { BranchName, Commit } from "../protocol/names.ts";

export type ForgeKind = "gitea" | "forgejo" | "github";

export interface RepositoryFacts {
  readonly permissions: { readonly push: boolean };
  readonly isArchived: boolean;
  readonly isMirror: boolean;
  readonly isEmpty: boolean;
  /** Switched on in the repository's settings. */
  readonly hasPullRequests: boolean;
}

export interface BranchFacts {
  readonly commit: Commit;
  readonly isProtected: boolean;
  /** Whether the token's user may push to it, or merge into it; undefined where the forge does not say. */
  readonly canPush: boolean | undefined;
  readonly canMerge: boolean | undefined;
  /** What a merge into it needs, as far as the forge says: contexts of commit statuses, perhaps as globs. */
  readonly requiredStatuses: readonly string[];
  readonly requiredApprovals: number;
}

/** What is said about a commit, for its page, its pull requests and the rules of protected branches. */
export interface CommitStatusSpecification {
  /** Whose word it is: `homelab-deploy/update`. A later one of the same context takes its place. */
  readonly context: string;
  readonly state: "pending" | "success" | "failure" | "error";
  /** One line; forges keep at most 140 characters of it. */
  readonly description: string;
  readonly url?: string;
}

export interface PullRequest {
  readonly number: number;
  readonly url: string;
  readonly state: "open" | "merged" | "closed";
  readonly title: string;
  readonly body: string;
  /** Names of branches of this repository. */
  readonly head: string;
  readonly base: string;
  /** What its branch is at; of a closed one undefined when the forge no longer knows it. */
  readonly headCommit: Commit | undefined;
  readonly labels: readonly string[];
  readonly createdAt: Date;
}

export interface PullRequestSpecification {
  readonly head: BranchName;
  readonly base: BranchName;
  readonly title: string;
  readonly body: string;
  /** An HTML comment that is in the body and in no other tool's: `<!-- homelab-deploy:update v1`. */
  readonly marker: string;
}

/** `foreign`: somebody else's pull request has this head and base. It was left as it is. */
export interface EnsuredPullRequest {
  readonly type: "created" | "edited" | "unchanged" | "foreign";
  readonly pullRequest: PullRequest;
}

export interface Comment {
  readonly id: number;
  readonly body: string;
  readonly author: string;
}

export interface CommentSpecification {
  readonly marker: string;
  readonly body: string;
}

export interface EnsuredComment {
  readonly type: "created" | "edited" | "unchanged";
  readonly comment: Comment;
}

/** A file's name decides whether a forge takes it: `.log`, `.txt`, `.gz` and `.json` pass everywhere. */
export interface FileToAttach {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** `refused`: the forge does not take this file, and will not take it later. Say it in the body instead. */
export type AttachResult =
  | { readonly type: "attached" | "already-there" }
  | { readonly type: "refused"; readonly reason: "disabled" | "too-large" | "file-type" };

export interface LabelSpecification {
  readonly name: string;
  /** `#d73a4a` */
  readonly colour: string;
  readonly description: string;
}

/** A commit that a pull request has and its base has not. */
export interface PullRequestCommit {
  readonly message: string;
  readonly authorEmail: string;
}

/** What anybody did on a pull request; the reader knows which commits are its own. */
export interface PullRequestActivity {
  readonly commits: readonly PullRequestCommit[];
  /** The number of reviews by others than the token's user; a requested review does not count. */
  readonly reviews: number;
}

/**
 * `landed`: the branch is there, whether by us or by somebody who wanted the same. `moved`: a branch is no longer
 * what it was when this was validated. `refused`: by policy or because this forge cannot do it; trying again does not help.
 */
export type LandResult =
  | { readonly type: "landed" | "moved" }
  | { readonly type: "refused"; readonly message: string };

/**
 * One repository on a forge, seen as one user. Every call can be repeated: what is there already is found, not made
 * again. All throw HomelabError: `refused` FORGE_AUTH, FORGE_SCOPE, FORGE_FORBIDDEN, FORGE_ARCHIVED, … when the forge
 * does not want it, and `unavailable` FORGE_UNREACHABLE, FORGE_BAD_ANSWER when it does not answer or not sensibly.
 */
export interface Forge {
  readonly kind: ForgeKind;
  /** As the forge reports it; empty if it does not. */
  readonly version: string;
  /** A pull request or a comment has at most so many bytes of UTF-8. */
  readonly maxBodyBytes: number;
  /** Login of the token's user. */
  readonly user: string;
  /** Pages for people. */
  readonly web: { readonly repository: string; commit(commit: Commit): string };

  repository(signal: AbortSignal): Promise<RepositoryFacts>;

  branch(name: BranchName, signal: AbortSignal): Promise<BranchFacts | undefined>;
  /** On Gitea and Forgejo this closes the open pull requests of the branch. */
  deleteBranch(name: BranchName, signal: AbortSignal): Promise<"deleted" | "absent">;
  /** Says it about a commit of the repository, unless that was its last word already. */
  ensureStatus(commit: Commit, specification: CommitStatusSpecification, signal: AbortSignal): Promise<void>;

  /** Pull requests whose head is in this repository, the oldest first; `closed` includes merged ones. */
  pullRequests(
    filter: { readonly state: "open" | "closed"; readonly head?: BranchName; readonly base?: BranchName },
    signal: AbortSignal,
  ): Promise<readonly PullRequest[]>;
  /** Makes the open pull request of head and base be as specified: at most one, also after lost answers. */
  ensurePullRequest(
    specification: PullRequestSpecification,
    signal: AbortSignal,
  ): Promise<EnsuredPullRequest>;
  editPullRequest(
    number: number,
    change: { readonly title?: string; readonly body?: string },
    signal: AbortSignal,
  ): Promise<PullRequest>;
  closePullRequest(number: number, signal: AbortSignal): Promise<PullRequest>;
  /** Merges an open pull request by moving its base forward to exactly this commit of its head. */
  fastForward(number: number, head: Commit, signal: AbortSignal): Promise<LandResult>;
  activity(number: number, signal: AbortSignal): Promise<PullRequestActivity>;

  comments(number: number, signal: AbortSignal): Promise<readonly Comment[]>;
  /** Makes our comment with this marker be as specified. Comments of others are never taken for ours. */
  ensureComment(
    number: number,
    specification: CommentSpecification,
    signal: AbortSignal,
  ): Promise<EnsuredComment>;
  editComment(id: number, body: string, signal: AbortSignal): Promise<Comment>;
  /** Attaches a file unless the comment has one of that name. */
  attach(commentId: number, file: FileToAttach, signal: AbortSignal): Promise<AttachResult>;

  /** Creates the labels that neither the repository nor its organization has. */
  ensureLabels(labels: readonly LabelSpecification[], signal: AbortSignal): Promise<void>;
  /** @throws HomelabError `refused` with code FORGE_LABEL if a label does not exist, or was not applied. */
  addLabels(number: number, names: readonly string[], signal: AbortSignal): Promise<void>;
  removeLabels(number: number, names: readonly string[], signal: AbortSignal): Promise<void>;
}
