// Updates or closes the pull requests that earlier runs opened. Those that people have worked on are left alone.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { CommentSpecification, Forge, PullRequest } from "../../forge/forge.ts";
import type { Repository } from "../../git/git.ts";
import type { BranchName } from "../../protocol/names.ts";
import { deleteUpdateBranch } from "../branch/update-branch.ts";
import {
  decideStale,
  hasHumanWork,
  isOurs,
  supersededNote,
  type StaleSettings,
} from "./decide-pull-requests.ts";

export interface TendOptions {
  readonly forge: Forge;
  readonly repository: Pick<Repository, "push">;
  /** The branch that updates are proposed for. */
  readonly branch: BranchName;
  readonly author: { readonly email: string };
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/** Branches of open proposals that people have reviewed, keep open or work on: they are not written to any more. */
export async function branchesOfPeople(
  { forge, branch, author }: Pick<TendOptions, "forge" | "branch" | "author">,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const branches = new Set<string>();
  for (const open of (await forge.pullRequests({ state: "open", base: branch }, signal)).filter(isOurs)) {
    const activity = await forge.activity(open.number, signal);
    if (hasHumanWork(open, activity, author.email)) branches.add(open.head);
  }
  return branches;
}

/**
 * Closes our own earlier proposals.
 *
 * @param why a sentence without its full stop, with a link to what replaces them
 */
export async function supersede(
  { forge, repository, branch, author, log }: TendOptions,
  { why, except }: { readonly why: string; readonly except?: number },
  signal: AbortSignal,
): Promise<void> {
  const open = (await forge.pullRequests({ state: "open", base: branch }, signal)).filter(isOurs);
  for (const old of open) {
    if (old.number === except) continue;
    const activity = await forge.activity(old.number, signal);
    if (hasHumanWork(old, activity, author.email)) {
      log.info({ url: old.url }, "an earlier proposal has people's work and stays open");
      continue;
    }
    await closeOurs(forge, repository, old, why, signal);
  }
}

/**
 * Reminds of proposals that nobody acts on, and closes those that no update comes to any more.
 *
 * @param current the pull request of this run, where it has one
 */
export async function tendStale(
  { forge, repository, branch, author, clock }: TendOptions,
  stale: StaleSettings,
  current: { readonly url?: string },
  signal: AbortSignal,
): Promise<void> {
  const open = (await forge.pullRequests({ state: "open", base: branch }, signal)).filter(isOurs);
  for (const pullRequest of open) {
    const { number, url } = pullRequest;
    const activity = await forge.activity(number, signal);
    const moment = { now: clock.now(), isCurrent: url === current.url };
    switch (decideStale(pullRequest, activity, stale, author.email, moment)) {
      case "leave":
        break;
      case "remind":
        await forge.ensureComment(number, reminderOf(stale), signal);
        break;
      case "close": {
        const why = `updates no longer arrive at this result, and nobody has acted on it for ${stale.closeAfterDays} days`;
        await closeOurs(forge, repository, pullRequest, why, signal);
        break;
      }
    }
  }
}

function reminderOf({ remindAfterDays, closeAfterDays }: StaleSettings): CommentSpecification {
  const marker = "<!-- homelab-deploy:reminder -->";
  return {
    marker,
    body: [
      marker,
      `Nobody has acted on this pull request for ${remindAfterDays} days.`,
      "It stays open while updates still arrive at this result; a newer result replaces it.",
      `If updates no longer arrive at it, it is closed ${closeAfterDays} days after it was opened; the label \`keep\` keeps it open.`,
    ].join("\n"),
  };
}

async function closeOurs(
  forge: Forge,
  repository: TendOptions["repository"],
  old: PullRequest,
  why: string,
  signal: AbortSignal,
): Promise<void> {
  const marker = "<!-- homelab-deploy:closed -->";
  await forge.ensureComment(old.number, { marker, body: `${marker}\nClosed: ${why}.` }, signal);
  // So that nobody takes our closing for a person's no.
  if (!old.body.includes(supersededNote)) {
    await forge.editPullRequest(old.number, { body: `${old.body}\n${supersededNote}` }, signal);
  }
  await forge.closePullRequest(old.number, signal);
  const head = old.head as BranchName; // it has our prefix, and is a branch of this repository
  if (old.headCommit !== undefined) await deleteUpdateBranch(repository, head, old.headCommit, signal);
}
