// What becomes of pull requests of earlier runs. Pure. Whatever a person has touched is left alone.
import type { PullRequest, PullRequestActivity } from "../../forge/forge.ts";
import { isOurCommit } from "../commit-message.ts";
import { branchPrefix } from "../branch/decide-branch.ts";
import { findMarker, markerStart } from "./pull-request-marker.ts";

/** With this label a person keeps a pull request open, whatever comes. */
const keepLabel = "keep";

export interface StaleSettings {
  readonly remindAfterDays: number;
  readonly closeAfterDays: number;
}

const dayMs = 86_400_000;

/** Made by us: from a branch of ours, with our marker. */
export const isOurs = ({ head, body }: PullRequest): boolean =>
  head.startsWith(branchPrefix) && body.includes(markerStart);

/** Commits that are not ours, a review, or the label. Talking about it is not work on it. */
export function hasHumanWork(
  { labels }: PullRequest,
  { commits, reviews }: PullRequestActivity,
  ourEmail: string,
): boolean {
  return (
    labels.includes(keepLabel) || reviews > 0 || commits.some((commit) => !isOurCommit(commit, ourEmail))
  );
}

export type StaleDecision = "leave" | "remind" | "close";

/** What becomes of a proposal that nobody has acted on. */
export function decideStale(
  pullRequest: PullRequest,
  activity: PullRequestActivity,
  { remindAfterDays, closeAfterDays }: StaleSettings,
  ourEmail: string,
  now: Date,
): StaleDecision {
  if (hasHumanWork(pullRequest, activity, ourEmail)) return "leave";
  const days = (now.getTime() - pullRequest.createdAt.getTime()) / dayMs;
  if (days >= closeAfterDays) return "close";
  return days >= remindAfterDays ? "remind" : "leave";
}

/** A person closed a proposal of exactly this lock without merging it: it is not proposed again. */
export const isDeclined = (closed: readonly PullRequest[], lock: string): PullRequest | undefined =>
  closed.find(
    (pullRequest) =>
      pullRequest.state === "closed" &&
      findMarker(pullRequest.body)?.lock === lock &&
      !pullRequest.body.includes(supersededNote),
  );

/** Stands in the body of those that we closed ourselves. */
export const supersededNote = "<!-- homelab-deploy:superseded -->";
