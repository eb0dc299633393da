import type { EnsuredPullRequest, PullRequest, PullRequestSpecification } from "../forge.ts";
import { findOrCreate } from "./find-or-create.ts";
import type { Http } from "../http/http.ts";
import { sameText } from "./same-text.ts";

/** What the forges do each in their own way. */
export interface PullRequestCalls {
  /** The open ones of head and base. */
  readonly list: () => Promise<readonly PullRequest[]>;
  readonly create: (specification: PullRequestSpecification) => Promise<PullRequest>;
  readonly edit: (number: number, change: { title?: string; body?: string }) => Promise<PullRequest>;
  /** Statuses of an answer that says that head and base already have an open pull request. */
  readonly duplicateStatuses: readonly number[];
}

/** The longest title that all forges keep whole. */
const maxTitleLength = 255;

/** Finds, creates or edits. When there are several, the oldest of ours, else the oldest. */
export async function ensurePullRequest(
  http: Pick<Http, "clock">,
  calls: PullRequestCalls,
  specification: PullRequestSpecification,
  signal: AbortSignal,
): Promise<EnsuredPullRequest> {
  const title = specification.title.slice(0, maxTitleLength).toWellFormed();
  const isOurs = (pull: PullRequest): boolean => pull.body.includes(specification.marker);
  const { value: pullRequest, created } = await findOrCreate(
    http,
    {
      async find() {
        const open = (await calls.list()).toSorted((a, b) => a.number - b.number);
        return open.find(isOurs) ?? open[0];
      },
      create: () => calls.create({ ...specification, title }),
      duplicateStatuses: calls.duplicateStatuses,
    },
    signal,
  );
  if (!isOurs(pullRequest)) return { type: "foreign", pullRequest };
  const change = {
    ...(pullRequest.title === title ? {} : { title }),
    ...(sameText(pullRequest.body, specification.body) ? {} : { body: specification.body }),
  };
  if (Object.keys(change).length === 0) return { type: created ? "created" : "unchanged", pullRequest };
  return { type: created ? "created" : "edited", pullRequest: await calls.edit(pullRequest.number, change) };
}
