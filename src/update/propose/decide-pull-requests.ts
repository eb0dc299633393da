// What happens to pull requests of earlier runs. Pure. Whatever a person has touched is left alone.
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

/** When a proposal is looked at. */
export interface StaleMoment {
  readonly now: Date;
  /** Whether this run proposes just this: closed, the next run would only open it again. */
  readonly isCurrent: boolean;
}

/** What happens to a proposal that nobody has acted on. */
export function decideStale(
  pullRequest: PullRequest,
  activity: PullRequestActivity,
  { remindAfterDays, closeAfterDays }: StaleSettings,
  ourEmail: string,
  { now, isCurrent }: StaleMoment,
): StaleDecision {
  if (hasHumanWork(pullRequest, activity, ourEmail)) return "leave";
  const days = ageInDays(pullRequest, now);
  if (days >= closeAfterDays && !isCurrent) return "close";
  return days >= remindAfterDays ? "remind" : "leave";
}

const ageInDays = ({ createdAt }: Pick<PullRequest, "createdAt">, now: Date): number =>
  (now.getTime() - createdAt.getTime()) / dayMs;

/**
 * For how long the same lock has been proposed, as a sentence; empty on the first day, and where the pull request was
 * about another lock before.
 */
export function ageSentence(
  open: Pick<PullRequest, "createdAt" | "body"> | undefined,
  lock: string,
  now: Date,
): string {
  if (open === undefined || findMarker(open.body)?.lock !== lock) return "";
  const days = Math.floor(ageInDays(open, now));
  if (days < 1) return "";
  const since = open.createdAt.toISOString().slice(0, 10);
  return `Open for ${days === 1 ? "1 day" : `${days} days`}, since ${since}: updates still arrive at the same result.`;
}

/** A person closed a proposal of exactly this lock without merging it: it is not proposed again. */
export const isDeclined = (closed: readonly PullRequest[], lock: string): PullRequest | undefined =>
  closed.find(
    (pullRequest) =>
      pullRequest.state === "closed" &&
      findMarker(pullRequest.body)?.lock === lock &&
      !pullRequest.body.includes(supersededNote),
  );

/** Marks the body of those that we closed ourselves. */
export const supersededNote = "<!-- homelab-deploy:superseded -->";
