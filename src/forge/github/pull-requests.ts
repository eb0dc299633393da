import { ensurePullRequest } from "../ensure/ensure-pull-request.ts";
import type { Forge, PullRequest } from "../forge.ts";
import { badAnswerError } from "../http/forge-error.ts";
import { pageSize } from "./page-size.ts";
import type { RepositoryContext } from "../http/repository-access.ts";
import { CommitAnswer, PullRequestAnswer, ReviewAnswer } from "./schemas.ts";
import type { Call } from "../http/http.ts";
import { allPages } from "../http/pages.ts";

type PullRequests = Pick<
  Forge,
  "pullRequests" | "ensurePullRequest" | "editPullRequest" | "closePullRequest" | "activity"
>;

export function githubPullRequests(context: RepositoryContext): PullRequests {
  const { http, repo, owner } = context;
  const one = async (call: Omit<Call, "answer">, signal: AbortSignal): Promise<PullRequest> => {
    const { value } = await http.call({ ...call, answer: PullRequestAnswer }, signal);
    if (value !== undefined) return value;
    throw badAnswerError(call.path.join("/"), undefined, "the head of this pull request is in a fork");
  };
  const edit = (number: number, json: object, signal: AbortSignal): Promise<PullRequest> =>
    one({ method: "PATCH", path: [...repo, "pulls", number], json }, signal);
  const pullRequests: PullRequests["pullRequests"] = async ({ state, head, base }, signal) => {
    const query = {
      state,
      sort: "created",
      direction: "asc",
      base,
      head: head === undefined ? undefined : `${owner}:${head}`,
    };
    const list = { path: [...repo, "pulls"], query, item: PullRequestAnswer, pageSize };
    const found = await allPages(http, list, signal);
    const byNumber = new Map(found.filter((pull) => pull !== undefined).map((pull) => [pull.number, pull]));
    return [...byNumber.values()]
      .filter((pull) => (head ?? pull.head) === pull.head && (base ?? pull.base) === pull.base)
      .toSorted((a, b) => a.number - b.number);
  };
  return {
    pullRequests,
    editPullRequest: edit,
    activity: (number, signal) => readActivity(context, number, signal),
    closePullRequest: (number, signal) => edit(number, { state: "closed" }, signal),
    ensurePullRequest: (specification, signal) =>
      ensurePullRequest(
        http,
        {
          list: () =>
            pullRequests({ state: "open", head: specification.head, base: specification.base }, signal),
          create: ({ head, base, title, body }) =>
            one({ method: "POST", path: [...repo, "pulls"], json: { head, base, title, body } }, signal),
          edit: (number, change) => edit(number, change, signal),
          duplicateStatuses: [422],
        },
        specification,
        signal,
      ),
  };
}

/** At most 250 commits, which is all that GitHub lists. */
async function readActivity(
  { http, repo, user }: RepositoryContext,
  number: number,
  signal: AbortSignal,
): ReturnType<Forge["activity"]> {
  const path = [...repo, "pulls", number];
  const reviews = await allPages(http, { path: [...path, "reviews"], item: ReviewAnswer, pageSize }, signal);
  return {
    commits: await allPages(http, { path: [...path, "commits"], item: CommitAnswer, pageSize }, signal),
    reviews: reviews.filter((review) => review.user?.login !== user).length,
  };
}
