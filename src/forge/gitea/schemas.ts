// What Gitea and Forgejo answer: only the fields that are used.
import * as v from "valibot";
import { Commit } from "../../protocol/names.ts";
import type { StoredStatus } from "../ensure/commit-statuses.ts";
import type { BranchFacts, PullRequest, PullRequestCommit } from "../forge.ts";

const Text = v.optional(v.nullable(v.string(), ""), "");
const Flag = v.optional(v.nullable(v.boolean(), false), false);
const Id = v.pipe(v.number(), v.safeInteger());
const Time = v.pipe(v.string(), v.isoTimestamp(), v.toDate());
const Account = v.object({ login: v.string() });
/** Empty when the commit is gone. */
const CommitOrNothing = v.fallback(v.optional(Commit), undefined);

export const VersionAnswer = v.object({ version: v.pipe(v.string(), v.maxLength(200)) });

export const UserAnswer = Account;

export const RepositoryAnswer = v.object({
  permissions: v.object({ push: Flag }),
  archived: Flag,
  mirror: Flag,
  empty: Flag,
  has_pull_requests: v.optional(v.boolean(), true),
});

export const BranchAnswer = v.pipe(
  v.object({
    commit: v.object({ id: Commit }),
    protected: Flag,
    user_can_push: Flag,
    user_can_merge: Flag,
    enable_status_check: Flag,
    status_check_contexts: v.optional(v.nullable(v.array(v.string()), []), []),
    required_approvals: v.optional(v.nullable(v.number(), 0), 0),
  }),
  v.transform(({ commit, ...branch }): BranchFacts => ({
    commit: commit.id,
    isProtected: branch.protected,
    canPush: branch.user_can_push,
    canMerge: branch.user_can_merge,
    requiredStatuses: branch.enable_status_check ? branch.status_check_contexts : [],
    requiredApprovals: branch.required_approvals,
  })),
);

export const LabelAnswer = v.object({ id: Id, name: v.string() });
export type LabelAnswer = v.InferOutput<typeof LabelAnswer>;

const PullBranch = v.object({ label: Text, ref: v.string(), sha: CommitOrNothing, repo_id: Id });

/** Undefined if its head is not a branch of this repository: a fork's, or none at all. */
export const PullRequestAnswer = v.pipe(
  v.object({
    number: Id,
    html_url: v.string(),
    state: v.picklist(["open", "closed"]),
    merged: Flag,
    title: v.string(),
    body: Text,
    head: PullBranch,
    base: PullBranch,
    labels: v.optional(v.nullable(v.array(LabelAnswer), []), []),
    created_at: Time,
  }),
  v.transform((pull): PullRequest | undefined => {
    // Once the branch is deleted `ref` is `refs/pull/N/head`; `label` keeps its name.
    const head = pull.head.ref.startsWith("refs/") ? pull.head.label : pull.head.ref;
    if (head === "" || pull.head.repo_id !== pull.base.repo_id) return undefined;
    return {
      number: pull.number,
      url: pull.html_url,
      state: pull.merged ? "merged" : pull.state,
      title: pull.title,
      body: pull.body,
      head,
      base: pull.base.ref,
      headCommit: pull.head.sha,
      labels: pull.labels.map(({ name }) => name),
      createdAt: pull.created_at,
    };
  }),
);

/** A team that is asked for a review has no user. */
export const ReviewAnswer = v.object({ user: v.nullish(Account), state: Text });

export const CombinedStatusAnswer = v.pipe(
  v.object({
    statuses: v.optional(
      v.nullable(v.array(v.object({ context: Text, status: Text, description: Text, target_url: Text })), []),
      [],
    ),
  }),
  v.transform(({ statuses }): readonly StoredStatus[] =>
    statuses.map(({ status, target_url, ...rest }) => ({ ...rest, state: status, url: target_url })),
  ),
);

export const AttachmentAnswer = v.object({ name: v.string() });

export const AttachmentSettingsAnswer = v.object({
  enabled: Flag,
  /** MiB */
  max_size: v.number(),
});

export const CompareAnswer = v.object({
  total_commits: v.number(),
  commits: v.nullish(
    v.array(
      v.pipe(
        v.object({
          commit: v.object({ message: Text, author: v.nullish(v.object({ email: Text })) }),
        }),
        v.transform(({ commit }): PullRequestCommit => {
          return { message: commit.message, authorEmail: commit.author?.email ?? "" };
        }),
      ),
    ),
    [],
  ),
});
