// Announces what happened to an update. Each announcement is kept until it is delivered, by this run or a later one.
import type { Clock } from "../../base/clock.ts";
import { HomelabError, messageOf } from "../../base/errors.ts";
import type { Forge } from "../../forge/forge.ts";
import type { BranchName, RepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import type { UpdateEvent } from "../../protocol/update-events.ts";
import { hostClasses, type Classes } from "../judge/decide-classes.ts";
import { isOurs } from "../propose/decide-pull-requests.ts";
import type { Journal } from "../journal.ts";
import type { Outbox } from "../../notify/outbox.ts";
import { needsPerson, unreachedInputs } from "../unreached-inputs.ts";
import type { Validated } from "../update.ts";

export interface AnnounceOptions {
  readonly repo: RepoName;
  readonly branch: BranchName;
  readonly journal: Pick<Journal, "last" | "append">;
  readonly outbox: Pick<Outbox<UpdateEvent>, "put">;
  /** Asked which pull requests are open. */
  readonly forge: Pick<Forge, "pullRequests"> | undefined;
  readonly clock: Pick<Clock, "now">;
}

export type News = Pick<UpdateEvent, "outcome"> &
  Partial<
    Pick<
      UpdateEvent,
      "run" | "base" | "commit" | "inputs" | "hosts" | "downstream" | "effect" | "url" | "reason"
    >
  >;

const reasonLength = 1000;
const mostPullRequests = 100;
const mostInputs = 100;

export async function announce(options: AnnounceOptions, news: News, signal: AbortSignal): Promise<void> {
  const { repo, journal, outbox, clock } = options;
  const { outcome, commit, reason } = news;
  const now = clock.now();
  const event = {
    inputs: [],
    hosts: {},
    run: journal.last("started")?.run ?? newBuildId(now),
    ...news,
    repo,
    at: now.toISOString(),
    reason: reason?.slice(0, reasonLength).toWellFormed(),
    ...unavailableOf(journal),
    ...(await openPullRequests(options, signal)),
  };
  await outbox.put(event, signal);
  await journal.append({ step: "announced", outcome, commit });
}

/** Announces what was validated. */
export async function announceValidated(
  options: AnnounceOptions,
  { candidate, classes, downstream }: Validated,
  news: News,
  signal: AbortSignal,
): Promise<void> {
  const theirs = downstream.map((each) => [each.repo, countsOf(each.classes)] as const);
  const told = theirs.length === 0 ? {} : { downstream: Object.fromEntries(theirs) };
  const inputs = candidate.changes.map(({ path }) => path.join("/").slice(0, 200));
  const { base, commit } = candidate;
  await announce(options, { base, commit, inputs, hosts: countsOf(classes), ...told, ...news }, signal);
}

function countsOf(classes: Classes): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const hostClass of hostClasses) {
    const count = [...classes.values()].filter((each) => each === hostClass).length;
    if (count > 0) counts[hostClass] = count;
  }
  return counts;
}

/**
 * A run that an error ended. Not that another one runs, which tells what happens to it itself, and not that somebody
 * stopped it.
 */
export async function announceError(
  options: AnnounceOptions,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || (error instanceof HomelabError && error.code === "UPDATE_RUNNING")) return;
  const { journal, clock } = options;
  // An error can come before there is a run: the journal then has the one before.
  const open = journal.last("ended") === undefined ? journal.last("started")?.run : undefined;
  const news = { outcome: "failed", run: open ?? newBuildId(clock.now()), reason: messageOf(error) } as const;
  // The forge may be what failed; the next news say which pull requests are open.
  await announce({ ...options, forge: undefined }, news, signal);
}

function unavailableOf(journal: Pick<Journal, "last">): Pick<UpdateEvent, "unavailable"> {
  const inputs = unreachedInputs(journal);
  if (inputs === undefined) return {};
  return {
    unavailable: inputs.slice(0, mostInputs).map((each) => ({
      input: each.input.slice(0, 200),
      reason: each.reason,
      runs: each.runs,
      needsPerson: needsPerson(each),
    })),
  };
}

async function openPullRequests(
  { forge, branch }: AnnounceOptions,
  signal: AbortSignal,
): Promise<Pick<UpdateEvent, "pullRequests">> {
  if (forge === undefined) return {};
  try {
    const open = (await forge.pullRequests({ state: "open", base: branch }, signal)).filter(isOurs);
    return {
      pullRequests: open
        .slice(0, mostPullRequests)
        .map(({ number, url, createdAt }) => ({ number, url, createdAt: createdAt.toISOString() })),
    };
  } catch {
    signal.throwIfAborted();
    return {}; // the news matter more, and the next ones have it
  }
}
