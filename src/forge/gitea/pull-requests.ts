import type * as v from "valibot";
import type { BranchName } from "../../protocol/names.ts";
import { ensurePullRequest } from "../ensure/ensure-pull-request.ts";
import type { Forge, PullRequest, PullRequestSpecification } from "../forge.ts";
import { badAnswerError } from "../http/forge-error.ts";
import { pageSize, type GiteaContext } from "./context.ts";
import { CompareAnswer, PullRequestAnswer, ReviewAnswer } from "./schemas.ts";
import { allPages } from "../http/pages.ts";

type PullRequests = Pick<
  Forge,
  "pullRequests" | "ensurePullRequest" | "editPullRequest" | "closePullRequest"
>;

export function giteaPullRequests(context: GiteaContext): PullRequests {
  const { http, repo } = context;
  const edit = async (
    number: number,
    json: { readonly title?: string; readonly body?: string; readonly state?: "closed" },
    signal: AbortSignal,
  ): Promise<PullRequest> => {
    const path = [...repo, "pulls", number];
    // Answered with 201, against all custom.
    const { value } = await http.call({ method: "PATCH", path, json, answer: PullRequestAnswer }, signal);
    return ofThisRepository(value, path);
  };
  const pullRequests: PullRequests["pullRequests"] = async ({ state, head, base }, signal) => {
    const found = await allPages(
      http,
      {
        path: [...repo, "pulls"],
        query: { state, sort: "oldest", base_branch: context.dialect.filtersByBase ? base : undefined },
        item: PullRequestAnswer,
        pageSize,
      },
      signal,
    );
    // Something may move to the next page while we read this one.
    const byNumber = new Map(found.filter((pull) => pull !== undefined).map((pull) => [pull.number, pull]));
    return [...byNumber.values()]
      .filter(
        (pull) => (head === undefined || pull.head === head) && (base === undefined || pull.base === base),
      )
      .toSorted((a, b) => a.number - b.number);
  };
  return {
    pullRequests,
    editPullRequest: (number, { title, body }, signal) => edit(number, { title, body }, signal),
    closePullRequest: (number, signal) => edit(number, { state: "closed" }, signal),
    ensurePullRequest: (specification, signal) =>
      ensurePullRequest(
        http,
        {
          list: () =>
            pullRequests({ state: "open", head: specification.head, base: specification.base }, signal),
          create: (adjusted) => create(context, adjusted, signal),
          edit: (number, change) => edit(number, change, signal),
          duplicateStatuses: [409],
        },
        specification,
        signal,
      ),
  };
}

export async function readPullRequest(
  { http, repo }: GiteaContext,
  number: number,
  signal: AbortSignal,
): Promise<PullRequest> {
  const path = [...repo, "pulls", number];
  const { value } = await http.call({ method: "GET", path, answer: PullRequestAnswer }, signal);
  return ofThisRepository(value, path);
}

async function create(
  { http, repo }: GiteaContext,
  { head, base, title, body }: PullRequestSpecification,
  signal: AbortSignal,
): Promise<PullRequest> {
  const path = [...repo, "pulls"];
  const json: { head: BranchName; base: BranchName; title: string; body: string } = {
    head,
    base,
    title,
    body,
  };
  const { value } = await http.call({ method: "POST", path, json, answer: PullRequestAnswer }, signal);
  return ofThisRepository(value, path);
}

function ofThisRepository(pull: PullRequest | undefined, path: readonly (string | number)[]): PullRequest {
  if (pull !== undefined) return pull;
  throw badAnswerError(
    path.join("/"),
    undefined,
    "the head of this pull request is not a branch of the repository",
  );
}

/** Commits by comparing the two ends. */
export async function giteaActivity(
  context: GiteaContext,
  pull: PullRequest,
  signal: AbortSignal,
): ReturnType<Forge["activity"]> {
  return {
    commits: (await compareBranches(context, pull.base, pull.head, signal)).commits,
    reviews: await countReviews(context, pull.number, signal),
  };
}

/** A rule of the repository can ask people for their review; that is nothing that they did. */
async function countReviews(
  { http, repo, user }: GiteaContext,
  number: number,
  signal: AbortSignal,
): Promise<number> {
  const path = [...repo, "pulls", number, "reviews"];
  const reviews = await allPages(http, { path, item: ReviewAnswer, pageSize }, signal);
  return reviews.filter((review) => review.state !== "REQUEST_REVIEW" && review.user?.login !== user).length;
}

/** What `to` has and `from` has not. By their names: Gitea 1.22 answers 404 to commits. */
export async function compareBranches(
  { http, repo }: GiteaContext,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<v.InferOutput<typeof CompareAnswer>> {
  const path = [...repo, "compare", `${from}...${to}`];
  return (await http.call({ method: "GET", path, answer: CompareAnswer }, signal)).value;
}
