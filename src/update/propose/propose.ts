// A pull request for what could not land. Every part of it is found before it is made, so a run that was killed
// in the middle is completed by the next one.
import { HomelabError } from "../../base/errors.ts";
import type { Forge, PullRequest } from "../../forge/forge.ts";
import type { BranchName, Commit } from "../../protocol/names.ts";
import { ageSentence, hasHumanWork, isDeclined, isOurs } from "./decide-pull-requests.ts";
import type { Journal } from "../journal.ts";
import type { Proposal, ProposalComment } from "../update.ts";
import { updateLabels } from "../report/report-headline.ts";
import { markerStart } from "./pull-request-marker.ts";
import { supersede, type TendOptions } from "./tend-proposals.ts";

export interface ProposeOptions extends TendOptions {
  readonly journal: Journal;
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
  const why = `a newer update is proposed in ${pullRequest.url}`;
  await supersede(options, { why, except: pullRequest.number }, signal);
  return { type: "proposed", pullRequest };
}

type OpenOptions = Pick<TendOptions, "forge" | "branch" | "author" | "clock" | "log">;

/**
 * The open pull request of a branch as the proposal says it, unless people have worked on it: then as it is.
 *
 * @throws HomelabError `refused` `FOREIGN_PULL_REQUEST`
 */
export async function openPullRequest(
  { forge, branch: base, author, clock, log }: OpenOptions,
  head: BranchName,
  { title, body, lock }: Proposal,
  signal: AbortSignal,
): Promise<ProposeResult> {
  const closed = await forge.pullRequests({ state: "closed", base }, signal);
  const declined = isDeclined(closed.filter(isOurs), lock);
  if (declined !== undefined) return { type: "declined", pullRequest: declined };

  const [open] = (await forge.pullRequests({ state: "open", head, base }, signal)).filter(isOurs);
  if (open !== undefined && hasHumanWork(open, await forge.activity(open.number, signal), author.email)) {
    log.info({ url: open.url }, "the pull request has people's work and keeps its text");
    return { type: "proposed", pullRequest: open };
  }
  const text = withAge(body, ageSentence(open, lock, clock.now()));
  const ensured = await forge.ensurePullRequest(
    { head, base, title, body: text, marker: markerStart },
    signal,
  );
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

/** Our marker is followed by the headline, and then by how long it has been open. */
function withAge(body: string, age: string): string {
  if (age === "") return body;
  const [marker = "", headline = "", ...rest] = body.split("\n\n");
  return [marker, headline, age, ...rest].join("\n\n");
}

/** Labels are for overview; without them the proposal is still one. Of ours, those of an earlier state go. */
async function ensureLabels(
  { forge, log }: Pick<TendOptions, "forge" | "log">,
  number: number,
  labels: Proposal["labels"],
  signal: AbortSignal,
): Promise<void> {
  const names = labels.map(({ name }) => name);
  try {
    await forge.ensureLabels(labels, signal);
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

async function ensureComment(
  forge: Forge,
  number: number,
  proposed: ProposalComment,
  signal: AbortSignal,
): Promise<void> {
  const { comment } = await forge.ensureComment(
    number,
    { marker: proposed.marker, body: proposed.body },
    signal,
  );
  if (proposed.file === undefined) return;
  const attached = await forge.attach(comment.id, proposed.file, signal);
  if (attached.type !== "refused" || proposed.bodyWithoutFile === undefined) return;
  await forge.ensureComment(number, { marker: proposed.marker, body: proposed.bodyWithoutFile }, signal);
}

/** In the comments of ours about a log begin so; the rest says which one. */
export const logMarkerStart = "<!-- homelab-deploy:log ";
const outdated = "**Outdated:**";
const outdatedNote = `${outdated} this log belongs to an earlier state of this pull request.`;

/** A later run of the same day puts another commit into the pull request, whose failures may be others. */
async function markOutdated(
  forge: Forge,
  number: number,
  current: Proposal["comments"],
  signal: AbortSignal,
): Promise<void> {
  for (const { id, author, body } of await forge.comments(number, signal)) {
    const isOld =
      author === forge.user &&
      body.startsWith(logMarkerStart) &&
      body.split("\n")[1]?.startsWith(outdated) !== true;
    if (!isOld || current.some(({ marker }) => body.startsWith(marker))) continue;
    await forge.editComment(id, body.replace("\n", `\n${outdatedNote}\n\n`), signal);
  }
}
