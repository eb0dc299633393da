// GitHub and GitHub Enterprise Server, by the REST API.
import { commitStatuses } from "../ensure/commit-statuses.ts";
import { CommentAnswer, issueComments } from "../ensure/issue-comments.ts";
import type { Forge } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import { pageSize } from "./page-size.ts";
import { githubLabels } from "./labels.ts";
import { githubPullRequests } from "./pull-requests.ts";
import { BranchAnswer, CombinedStatusAnswer, RepositoryAnswer, UserAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";
import { allPages } from "../http/pages.ts";
import {
  findBranch,
  type RepositoryAccess,
  type RepositoryContext,
  webUrls,
} from "../http/repository-access.ts";

/** @throws HomelabError as every call does. */
export async function createGithub(
  { http, owner, repo: name, page }: RepositoryAccess,
  signal: AbortSignal,
): Promise<Forge> {
  const { value: account } = await http.call({ method: "GET", path: ["user"], answer: UserAnswer }, signal);
  const context: RepositoryContext = { http, owner, repo: ["repos", owner, name], user: account.login };
  return {
    kind: "github",
    version: "",
    user: account.login,
    // GitHub refuses more than 65,536 characters; a character has up to four bytes, and fewer never hurt.
    maxBodyBytes: 65_000,
    web: webUrls(page),
    ...repositoryAndBranches(context),
    ...commitStatuses(context, { answer: CombinedStatusAnswer, pageSize }),
    ...githubPullRequests(context),
    ...issueComments(context, (path, innerSignal) =>
      allPages(http, { path, item: CommentAnswer, pageSize }, innerSignal),
    ),
    // There are no attachments in GitHub's API.
    attach: async () => ({ type: "refused", reason: "disabled" }),
    ...githubLabels(context),
  };
}

type RepositoryAndBranches = Pick<Forge, "repository" | "branch" | "deleteBranch" | "fastForward">;

function repositoryAndBranches(context: RepositoryContext): RepositoryAndBranches {
  const { http, repo } = context;
  const branch: Forge["branch"] = (name, signal) => findBranch(context, name, BranchAnswer, signal);
  return {
    async repository(signal) {
      const { value } = await http.call({ method: "GET", path: repo, answer: RepositoryAnswer }, signal);
      return {
        permissions: value.permissions ?? { push: false },
        isArchived: value.archived,
        isMirror: typeof value.mirror_url === "string",
        // Small repositories also have the size 0.
        isEmpty: value.size === 0 && (await branch(value.default_branch, signal)) === undefined,
        hasPullRequests: true,
      };
    },
    branch,
    async deleteBranch(name, signal) {
      const path = [...repo, "git", "refs", "heads", name];
      try {
        await http.call({ method: "DELETE", path, answer: anything }, signal);
        return "deleted";
      } catch (error) {
        // 422: Reference does not exist.
        if (hasStatus(error, 404) || (hasStatus(error, 422) && /does not exist/.test(error.message))) {
          return "absent";
        }
        throw error;
      }
    },
    fastForward: async () => ({ type: "refused", message: "GitHub cannot merge by fast-forward" }),
  };
}
