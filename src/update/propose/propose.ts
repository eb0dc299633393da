// A pull request for what could not land. Every part of it is found before it is made, so a run that was killed
// in the middle is completed by the next one.
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { FileToAttach, Forge, LabelWish, PullRequest } from "../../forge/forge.ts";
import type { Repository } from "../../git/git.ts";
import type { BranchName, Commit } from "../../protocol/names.ts";
import {
  hasHumanWork,
  isDeclined,
  isOurs,
  supersededNote,
  decideStale,
  type StaleSettings,
} from "./decide-pull-requests.ts";
import type { Journal } from "../journal.ts";
import { updateLabels } from "../report/report-headline.ts";
import { markerStart } from "./pull-request-marker.ts";
import { deleteUpdateBranch } from "../branch/update-branch.ts";

/** What the pull request says, ready to be sent. */
export interface Proposal {
  readonly title: string;
  /** With our marker. */
  readonly body: string;
  readonly labels: readonly LabelWish[];
  /** Of the candidate's lock, as in the marker. */
  readonly lock: string;
  readonly comments: readonly ProposalComment[];
}

/** One for each failure: its log as a file, and its end in the text. */
export interface ProposalComment {
  readonly marker: string;
  readonly body: string;
  readonly file?: FileToAttach;
  /** Instead of `body` where the forge does not take the file. */
  readonly bodyWithoutFile?: string;
}

export interface ProposeOptions {
  readonly forge: Forge;
  readonly repository: Repository;
  readonly journal: Journal;
  readonly base: BranchName;
  readonly author: { readonly email: string };
  readonly stale: StaleSettings;
  readonly now: () => Date;
  readonly log: Log;
}

export type ProposeResult =
  | { readonly type: "proposed"; readonly pullRequest: PullRequest }
  /** A person closed one with the same lock. */
  | { readonly type: "declined"; readonly pullRequest: PullRequest };

export async function propose(
  options: ProposeOptions,
  head: BranchName,
  commit: Commit,
  proposal: Proposal,
  signal: AbortSignal,
): Promise<ProposeResult> {
  const { forge, journal } = options;
  await journal.append({ step: "proposing", commit });
  const opened = await openPullRequest(options, head, proposal, signal);
  if (opened.type === "declined") return opened;
  const { pullRequest } = opened;
  await ensureLabels(options, pullRequest.number, proposal.labels, signal);
  for (const comment of proposal.comments) await ensureComment(forge, pullRequest.number, comment, signal);
  await markOutdated(forge, pullRequest.number, proposal.comments, signal);
  await journal.append({ step: "proposed", commit, number: pullRequest.number, url: pullRequest.url });
  await supersede(options, { by: pullRequest.url, except: pullRequest.number }, signal);
  return { type: "proposed", pullRequest };
}

/**
 * The open pull request of a branch as the proposal says it, unless people have worked on it: then as it is.
 *
 * @throws HomelabError `refused` `FOREIGN_PULL_REQUEST`
 */
export async function openPullRequest(
  { forge, base, author, log }: Pick<ProposeOptions, "forge" | "base" | "author" | "log">,
  head: BranchName,
  { title, body, lock }: Proposal,
  signal: AbortSignal,
): Promise<ProposeResult> {
  const closed = await forge.pullRequests({ state: "closed", base }, signal);
  const declined = isDeclined(closed.filter(isOurs), lock);
  if (declined !== undefined) return { type: "declined", pullRequest: declined };

  const [open] = (await forge.pullRequests({ state: "open", head, base }, signal)).filter(isOurs);
  if (open !== undefined && hasHumanWork(open, await forge.activity(open.number, signal), author.email)) {
    log.info({ url: open.url }, "the pull request has work of people and keeps its text");
    return { type: "proposed", pullRequest: open };
  }
  const ensured = await forge.ensurePullRequest({ head, base, title, body, marker: markerStart }, signal);
  if (ensured.type === "foreign") {
    throw new HomelabError(
      "refused",
      `somebody else's pull request is about ${head}: ${ensured.pullRequest.url}`,
      {
        code: "FOREIGN_PULL_REQUEST",
        hint: "close it, or rename its branch",
      },
    );
  }
  return { type: "proposed", pullRequest: ensured.pullRequest };
}

/** Labels are for overview; without them the proposal is still one. Of ours, those of an earlier state go. */
async function ensureLabels(
  { forge, log }: Pick<ProposeOptions, "forge" | "log">,
  number: number,
  wishes: Proposal["labels"],
  signal: AbortSignal,
): Promise<void> {
  const names = wishes.map(({ name }) => name);
  try {
    await forge.ensureLabels(wishes, signal);
    await forge.addLabels(number, names, signal);
    await forge.removeLabels(
      number,
      updateLabels.filter((name) => !names.includes(name)),
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HomelabError) || ["unavailable", "bug"].includes(error.kind)) throw error;
    log.warn({ err: error }, "the pull request does not have its labels");
  }
}

/** Branches of open proposals that people have reviewed, keep open or work on: they are not written to any more. */
export async function branchesOfPeople(
  { forge, base, author }: Pick<ProposeOptions, "forge" | "base" | "author">,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const branches = new Set<string>();
  for (const open of (await forge.pullRequests({ state: "open", base }, signal)).filter(isOurs)) {
    const activity = await forge.activity(open.number, signal);
    if (hasHumanWork(open, activity, author.email)) branches.add(open.head);
  }
  return branches;
}

async function ensureComment(
  forge: Forge,
  number: number,
  wish: ProposalComment,
  signal: AbortSignal,
): Promise<void> {
  const { comment } = await forge.ensureComment(number, { marker: wish.marker, body: wish.body }, signal);
  if (wish.file === undefined) return;
  const attached = await forge.attach(comment.id, wish.file, signal);
  if (attached.type !== "refused" || wish.bodyWithoutFile === undefined) return;
  await forge.ensureComment(number, { marker: wish.marker, body: wish.bodyWithoutFile }, signal);
}

/** In the comments of ours about a log begin so; the rest says which one. */
export const logMarkerStart = "<!-- homelab-deploy:log ";
const outdatedNote = "**Outdated:** of an earlier state of this pull request.";

/** A later run of the same day puts another commit into the pull request, whose failures may be others. */
async function markOutdated(
  forge: Forge,
  number: number,
  current: Proposal["comments"],
  signal: AbortSignal,
): Promise<void> {
  for (const { id, author, body } of await forge.comments(number, signal)) {
    const isOld = author === forge.user && body.startsWith(logMarkerStart) && !body.includes(outdatedNote);
    if (!isOld || current.some(({ marker }) => body.startsWith(marker))) continue;
    await forge.editComment(id, body.replace("\n", `\n${outdatedNote}\n\n`), signal);
  }
}

/** Closes our own earlier proposals, with a link to what replaces them. */
export async function supersede(
  {
    forge,
    repository,
    base,
    author,
    log,
  }: Pick<ProposeOptions, "forge" | "repository" | "base" | "author" | "log">,
  { by, except }: { readonly by: string; readonly except?: number },
  signal: AbortSignal,
): Promise<void> {
  const open = (await forge.pullRequests({ state: "open", base }, signal)).filter(isOurs);
  for (const old of open) {
    if (old.number === except) continue;
    const activity = await forge.activity(old.number, signal);
    if (hasHumanWork(old, activity, author.email)) {
      log.info({ url: old.url }, "an earlier proposal has work of people and stays open");
      continue;
    }
    await closeOurs(forge, repository, old, `superseded by ${by}`, signal);
  }
}

/** Reminds of proposals that nobody acts on, and closes those that nobody will. */
export async function tendStale(options: ProposeOptions, signal: AbortSignal): Promise<void> {
  const { forge, repository, base, author, stale, now } = options;
  for (const pullRequest of (await forge.pullRequests({ state: "open", base }, signal)).filter(isOurs)) {
    const activity = await forge.activity(pullRequest.number, signal);
    switch (decideStale(pullRequest, activity, stale, author.email, now())) {
      case "leave":
        break;
      case "remind": {
        const body = `Nobody has acted on this for ${stale.remindAfterDays} days. It is closed after ${stale.closeAfterDays} days; the label \`keep\` keeps it open.`;
        await forge.ensureComment(
          pullRequest.number,
          { marker: "<!-- homelab-deploy:reminder -->", body: `<!-- homelab-deploy:reminder -->\n${body}` },
          signal,
        );
        break;
      }
      case "close":
        await closeOurs(
          forge,
          repository,
          pullRequest,
          `nobody acted on it for ${stale.closeAfterDays} days`,
          signal,
        );
        break;
    }
  }
}

async function closeOurs(
  forge: Forge,
  repository: Repository,
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
  const branch = old.head as BranchName; // it has our prefix, and is a branch of this repository
  if (old.headCommit !== undefined) await deleteUpdateBranch(repository, branch, old.headCommit, signal);
}
