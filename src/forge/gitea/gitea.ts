// Gitea from 1.21 on, and Forgejo. The API is the same but for what dialect.ts says.
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { commitStatuses } from "../ensure/commit-statuses.ts";
import { CommentAnswer, issueComments } from "../ensure/issue-comments.ts";
import type { Forge } from "../forge.ts";
import { attach } from "./attach.ts";
import { pageSize, type GiteaContext } from "./context.ts";
import { dialectOf } from "./dialect.ts";
import { giteaFastForward } from "./fast-forward.ts";
import { giteaLabels } from "./labels.ts";
import { giteaActivity, giteaPullRequests, readPullRequest } from "./pull-requests.ts";
import {
  BranchAnswer,
  CombinedStatusAnswer,
  RepositoryAnswer,
  UserAnswer,
  VersionAnswer,
} from "./schemas.ts";
import { hasStatus } from "../http/forge-error.ts";
import { anything, type Http } from "../http/http.ts";
import { findBranch, type RepositoryAccess, webUrls } from "../http/repository-access.ts";

/**
 * Queries the version and the token's user: public pages accept an unknown token, this does not.
 *
 * @throws HomelabError as every call does.
 */
export async function createGitea(
  { http, owner, repo, page }: RepositoryAccess,
  signal: AbortSignal,
): Promise<Forge> {
  const server = await readVersion(http, signal);
  const { value: account } = await http.call({ method: "GET", path: ["user"], answer: UserAnswer }, signal);
  const dialect = dialectOf(server.version);
  const context: GiteaContext = { http, owner, repo: ["repos", owner, repo], user: account.login, dialect };
  return {
    kind: dialect.kind,
    version: dialect.version,
    user: account.login,
    // Gitea has no limit; pages with more than this are slow to show.
    maxBodyBytes: 1_000_000,
    web: webUrls(page),
    async repository(innerSignal) {
      const { value } = await http.call(
        { method: "GET", path: context.repo, answer: RepositoryAnswer },
        innerSignal,
      );
      return {
        permissions: value.permissions,
        isArchived: value.archived,
        isMirror: value.mirror,
        isEmpty: value.empty,
        hasPullRequests: value.has_pull_requests,
      };
    },
    ...giteaBranches(context),
    ...commitStatuses(context, { answer: CombinedStatusAnswer, pageSize }),
    ...giteaPullRequests(context),
    // Comes whole: this list has no pages.
    ...issueComments(context, async (path, innerSignal) => {
      const call = { method: "GET", path, answer: v.array(CommentAnswer) } as const;
      return (await http.call(call, innerSignal)).value;
    }),
    attach: (commentId, file, innerSignal) => attach(context, commentId, file, innerSignal),
    ...giteaLabels(context),
    async fastForward(number, head, innerSignal) {
      const pull = await readPullRequest(context, number, innerSignal);
      return giteaFastForward(context, pull, head, innerSignal);
    },
    async activity(number, innerSignal) {
      const pull = await readPullRequest(context, number, innerSignal);
      return giteaActivity(context, pull, innerSignal);
    },
  };
}

async function readVersion(http: Http, signal: AbortSignal): Promise<v.InferOutput<typeof VersionAnswer>> {
  try {
    return (await http.call({ method: "GET", path: ["version"], answer: VersionAnswer }, signal)).value;
  } catch (error) {
    // Every Gitea says its version to everybody: this is the address of something else, often of one of its pages.
    if (!hasStatus(error, 404)) throw error;
    throw new HomelabError("config", "there is no Gitea or Forgejo at the forge's url", {
      code: "BAD_FORGE",
      hint: "the forge's url is the address of its start page, without owner and repository: https://git.example",
      cause: error,
    });
  }
}

const giteaBranches = (context: GiteaContext): Pick<Forge, "branch" | "deleteBranch"> => ({
  branch: async (name, signal) => findBranch(context, name, BranchAnswer, signal),
  async deleteBranch(name, signal) {
    const { http, repo } = context;
    try {
      await http.call({ method: "DELETE", path: [...repo, "branches", name], answer: anything }, signal);
      return "deleted";
    } catch (error) {
      if (hasStatus(error, 404)) return "absent";
      throw error;
    }
  },
});
