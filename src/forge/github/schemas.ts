// What GitHub's REST API answers: only the fields that are used.
import * as v from "valibot";
import { BranchName, Commit } from "../../protocol/names.ts";
import type { StoredStatus } from "../ensure/commit-statuses.ts";
import type { BranchFacts, PullRequest, PullRequestCommit } from "../forge.ts";

const Text = v.optional(v.nullable(v.string(), ""), "");
const Flag = v.optional(v.nullable(v.boolean(), false), false);
const Id = v.pipe(v.number(), v.safeInteger());
const Time = v.pipe(v.string(), v.isoTimestamp(), v.toDate());
/** Null for accounts that are gone. */
const Account = v.nullish(v.object({ login: v.string() }));

export const UserAnswer = v.object({ login: v.string() });

export const RepositoryAnswer = v.object({
  default_branch: BranchName,
  permissions: v.optional(v.object({ push: Flag })),
  archived: Flag,
  mirror_url: v.nullish(v.string()),
  /** KiB */
  size: v.optional(v.number(), 1),
});

export const BranchAnswer = v.pipe(
  v.object({ commit: v.object({ sha: Commit }), protected: Flag }),
  v.transform((branch): BranchFacts => ({
    commit: branch.commit.sha,
    isProtected: branch.protected,
    canPush: undefined,
    canMerge: undefined,
    requiredStatuses: [],
    requiredApprovals: 0,
  })),
);

export const LabelAnswer = v.object({ name: v.string() });

const PullBranch = v.object({ ref: v.string(), sha: Commit, repo: v.nullish(v.object({ id: Id })) });

/** Undefined when its head is in a fork. */
export const PullRequestAnswer = v.pipe(
  v.object({
    number: Id,
    html_url: v.string(),
    state: v.picklist(["open", "closed"]),
    merged_at: v.nullish(v.string()),
    title: v.string(),
    body: Text,
    head: PullBranch,
    base: PullBranch,
    labels: v.optional(v.array(LabelAnswer), []),
    created_at: Time,
  }),
  v.transform((pull): PullRequest | undefined => {
    if (pull.head.repo?.id !== pull.base.repo?.id) return undefined;
    return {
      number: pull.number,
      url: pull.html_url,
      state: typeof pull.merged_at === "string" ? "merged" : pull.state,
      title: pull.title,
      body: pull.body,
      head: pull.head.ref,
      base: pull.base.ref,
      headCommit: pull.head.sha,
      labels: pull.labels.map(({ name }) => name),
      createdAt: pull.created_at,
    };
  }),
);

export const CommitAnswer = v.pipe(
  v.object({ commit: v.object({ message: v.string(), author: v.nullish(v.object({ email: Text })) }) }),
  v.transform(({ commit }): PullRequestCommit => {
    return { message: commit.message, authorEmail: commit.author?.email ?? "" };
  }),
);

export const ReviewAnswer = v.object({ user: Account });

export const CombinedStatusAnswer = v.pipe(
  v.object({
    statuses: v.array(
      v.object({ context: v.string(), state: v.string(), description: Text, target_url: Text }),
    ),
  }),
  v.transform(({ statuses }): readonly StoredStatus[] =>
    statuses.map(({ target_url, ...rest }) => ({ ...rest, url: target_url })),
  ),
);
