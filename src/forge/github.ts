// GitHub and GitHub Enterprise Server, by the REST API.
import type { Comment, Forge, ForgeCapabilities, LabelWish } from "./forge.ts";
import { ensureComment } from "./ensure-comment.ts";
import { findOrCreate } from "./find-or-create.ts";
import { hasStatus } from "./forge-error.ts";
import type { RepositoryOnForge } from "./gitea.ts";
import { pageSize, type GithubContext } from "./github-context.ts";
import { githubCommitsAndReviews, githubPullRequests } from "./github-pull-requests.ts";
import { BranchAnswer, CommentAnswer, LabelAnswer, RepositoryAnswer, UserAnswer } from "./github-schemas.ts";
import { anything } from "./http.ts";
import { labelMissingError, labelStuckError } from "./label-errors.ts";
import { allPages } from "./pages.ts";
import { webUrls } from "./web-urls.ts";

const capabilities: ForgeCapabilities = {
  attachments: false,
  labelsByName: true,
  // GitHub refuses more than 65,536 characters; a character has up to four bytes, and fewer never hurt.
  maxBodyBytes: 65_000,
  casBranch: false,
  fastForwardMerge: false,
  allReviews: true,
};

/** @throws HomelabError as every call does. */
export async function createGithub(
  { http, owner, repo: name, page }: RepositoryOnForge,
  signal: AbortSignal,
): Promise<Forge> {
  const { value: account } = await http.call({ method: "GET", path: ["user"], answer: UserAnswer }, signal);
  const context: GithubContext = { http, owner, repo: ["repos", owner, name], user: account.login };
  return {
    kind: "github",
    version: "",
    capabilities,
    user: account.login,
    web: webUrls("github", page),
    ...repositoryAndBranches(context),
    ...githubPullRequests(context),
    ...commentsOf(context),
    ...labelsOf(context),
  };
}

type RepositoryAndBranches = Pick<
  Forge,
  "repository" | "branch" | "deleteBranch" | "moveBranch" | "fastForward"
>;

function repositoryAndBranches({ http, repo }: GithubContext): RepositoryAndBranches {
  return {
    async repository(signal) {
      const { value } = await http.call({ method: "GET", path: repo, answer: RepositoryAnswer }, signal);
      return {
        defaultBranch: value.default_branch,
        permissions: value.permissions ?? { pull: true, push: false, admin: false },
        isPrivate: value.private,
        isArchived: value.archived,
        isMirror: typeof value.mirror_url === "string",
        isEmpty: value.size === 0,
        hasPullRequests: true,
      };
    },
    async branch(branch, signal) {
      try {
        const path = [...repo, "branches", branch];
        return (await http.call({ method: "GET", path, answer: BranchAnswer }, signal)).value;
      } catch (error) {
        if (hasStatus(error, 404)) return undefined;
        throw error;
      }
    },
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
    moveBranch: async () => ({ type: "refused", message: "GitHub cannot move a branch by comparing" }),
    fastForward: async () => ({ type: "refused", message: "GitHub cannot merge by fast-forward" }),
  };
}

type Comments = Pick<Forge, "comments" | "ensureComment" | "editComment" | "attach" | "activity">;

function commentsOf(context: GithubContext): Comments {
  const { http, repo, user } = context;
  const comments = (number: number, signal: AbortSignal): Promise<readonly Comment[]> => {
    const path = [...repo, "issues", number, "comments"];
    return allPages(http, { path, item: CommentAnswer, pageSize }, signal);
  };
  const editComment = async (id: number, body: string, signal: AbortSignal): Promise<Comment> => {
    const path = [...repo, "issues", "comments", id];
    const call = { method: "PATCH", path, json: { body }, answer: CommentAnswer } as const;
    return (await http.call(call, signal)).value;
  };
  return {
    comments,
    editComment,
    ensureComment: (number, wish, signal) =>
      ensureComment(
        http,
        {
          user,
          list: () => comments(number, signal),
          async create(body) {
            const path = [...repo, "issues", number, "comments"];
            const call = { method: "POST", path, json: { body }, answer: CommentAnswer } as const;
            return (await http.call(call, signal)).value;
          },
          edit: (id, body) => editComment(id, body, signal),
        },
        wish,
        signal,
      ),
    attach: async () => ({
      type: "refused",
      reason: "disabled",
      message: "GitHub has no attachments in its API",
    }),
    async activity(number, signal) {
      const all = await comments(number, signal);
      return {
        comments: all.filter(({ author }) => author !== user),
        ...(await githubCommitsAndReviews(context, number, signal)),
      };
    },
  };
}

type Labels = Pick<Forge, "ensureLabels" | "addLabels" | "removeLabels">;

function labelsOf({ http, repo }: GithubContext): Labels {
  const known = async (signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const labels = await allPages(http, { path: [...repo, "labels"], item: LabelAnswer, pageSize }, signal);
    return new Set(labels.map(({ name }) => keyOf(name)));
  };
  const labelsOn = async (number: number, signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const path = [...repo, "issues", number, "labels"];
    return new Set(
      (await allPages(http, { path, item: LabelAnswer, pageSize }, signal)).map(({ name }) => keyOf(name)),
    );
  };
  const ensureLabel = async (
    { name, colour, description }: LabelWish,
    signal: AbortSignal,
  ): Promise<void> => {
    const json = { name, color: colour.replace("#", ""), description };
    await findOrCreate(
      http,
      {
        find: async () => ((await known(signal)).has(keyOf(name)) ? true : undefined),
        async create() {
          await http.call({ method: "POST", path: [...repo, "labels"], json, answer: LabelAnswer }, signal);
          return true;
        },
        duplicateStatuses: [422],
      },
      signal,
    );
  };
  return {
    async ensureLabels(wishes, signal) {
      for (const wish of wishes) await ensureLabel(wish, signal);
    },
    async addLabels(number, names, signal) {
      const all = await known(signal);
      const unknown = names.find((name) => !all.has(keyOf(name)));
      if (unknown !== undefined) throw labelMissingError(unknown);
      const path = [...repo, "issues", number, "labels"];
      await findOrCreate(
        http,
        {
          async find() {
            const on = await labelsOn(number, signal);
            return names.every((name) => on.has(keyOf(name))) ? true : undefined;
          },
          async create() {
            await http.call({ method: "POST", path, json: { labels: names }, answer: anything }, signal);
            return true;
          },
          duplicateStatuses: [],
        },
        signal,
      );
      const on = await labelsOn(number, signal);
      const stuck = names.find((name) => !on.has(keyOf(name)));
      if (stuck !== undefined) throw labelStuckError(stuck, "on", number);
    },
    async removeLabels(number, names, signal) {
      const on = await labelsOn(number, signal);
      for (const name of names.filter((each) => on.has(keyOf(each)))) {
        const path = [...repo, "issues", number, "labels", name];
        try {
          await http.call({ method: "DELETE", path, answer: anything }, signal);
        } catch (error) {
          if (!hasStatus(error, 404)) throw error;
        }
      }
      const left = await labelsOn(number, signal);
      const stuck = names.find((name) => left.has(keyOf(name)));
      if (stuck !== undefined) throw labelStuckError(stuck, "off", number);
    },
  };
}

/** Names of labels differ by more than case. */
const keyOf = (name: string): string => name.toLowerCase();
