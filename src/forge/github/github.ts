// GitHub and GitHub Enterprise Server, by the REST API.
import type { BranchName } from "../../protocol/names.ts";
import type { BranchFacts, Forge } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import { githubComments } from "./comments.ts";
import type { GithubContext } from "./context.ts";
import { githubLabels } from "./labels.ts";
import { githubPullRequests } from "./pull-requests.ts";
import { BranchAnswer, RepositoryAnswer, UserAnswer } from "./schemas.ts";
import { githubStatuses } from "./statuses.ts";
import { anything } from "../http/http.ts";
import { type RepositoryAccess, webUrls } from "../http/repository-access.ts";

/** @throws HomelabError as every call does. */
export async function createGithub(
  { http, owner, repo: name, page }: RepositoryAccess,
  signal: AbortSignal,
): Promise<Forge> {
  const { value: account } = await http.call({ method: "GET", path: ["user"], answer: UserAnswer }, signal);
  const context: GithubContext = { http, owner, repo: ["repos", owner, name], user: account.login };
  return {
    kind: "github",
    version: "",
    user: account.login,
    // GitHub refuses more than 65,536 characters; a character has up to four bytes, and fewer never hurt.
    maxBodyBytes: 65_000,
    web: webUrls(page),
    ...repositoryAndBranches(context),
    ...githubStatuses(context),
    ...githubPullRequests(context),
    ...githubComments(context),
    ...githubLabels(context),
  };
}

type RepositoryAndBranches = Pick<Forge, "repository" | "branch" | "deleteBranch" | "fastForward">;

function repositoryAndBranches({ http, repo }: GithubContext): RepositoryAndBranches {
  const readBranch = async (name: BranchName, signal: AbortSignal): Promise<BranchFacts | undefined> => {
    try {
      const path = [...repo, "branches", name];
      return (await http.call({ method: "GET", path, answer: BranchAnswer }, signal)).value;
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  };
  return {
    async repository(signal) {
      const { value } = await http.call({ method: "GET", path: repo, answer: RepositoryAnswer }, signal);
      return {
        permissions: value.permissions ?? { push: false },
        isArchived: value.archived,
        isMirror: typeof value.mirror_url === "string",
        // Also small repositories have the size 0.
        isEmpty: value.size === 0 && (await readBranch(value.default_branch, signal)) === undefined,
        hasPullRequests: true,
      };
    },
    branch: readBranch,
    async deleteBranch(branch, signal) {
      const path = [...repo, "git", "refs", "heads", branch];
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
