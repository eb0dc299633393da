// What the builder works on. A build is one request; a host at one revision is the unit of work, and however many builds
// want the same host, there is one piece of work for it, and all of them watch it.
import type { CommitMemory, FlakeSource, HostEvaluation } from "../nix/evaluator.ts";
import type { DerivationFailure, HostRef, UnresolvedRepo } from "../protocol/events.ts";
import type { BuildId, FullHostName, RepoName, StorePath, HostName } from "../protocol/names.ts";
import { type Revision, revisionName, type RevisionName } from "../protocol/overrides.ts";
import type { Priority } from "../protocol/request.ts";
import type { HostVerdict } from "../protocol/verdicts.ts";
import type { BuildLogs } from "./record/build-logs.ts";
import type { BuildRecord } from "./record/build-record.ts";
import type { ProgressBoard } from "./record/progress-board.ts";

/** A repo at the commit that the build is about, perhaps with overrides. */
export interface BuildSource extends Revision {
  readonly repo: RepoName;
  /** It was the tip of the repo's configured branch. */
  readonly isHead: boolean;
  readonly flake: FlakeSource;
  readonly allowImportFromDerivation: boolean;
  /** Nothing that is remembered of it counts. */
  readonly isFresh?: boolean;
  /** What earlier builds found out about this commit. */
  readonly memory: CommitMemory;
}

export interface RunningBuild {
  readonly id: BuildId;
  /** It belongs to no build, and is done with a host once that is evaluated: see `createEvaluateOnly`. */
  readonly evaluatesOnly?: true;
  readonly priority: Priority;
  readonly sources: ReadonlyMap<RepoName, BuildSource>;
  readonly record: BuildRecord;
  readonly logs: BuildLogs;
  readonly progress: ProgressBoard;
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** Every host of the inventory that was asked for. */
  readonly hosts: readonly HostRef[];
  /** Repos that were asked for and could not be read. A build with one of these never succeeds. */
  readonly unresolved: readonly UnresolvedRepo[];
  /** By host; nothing until it has its verdict. */
  readonly verdicts: Map<FullHostName, HostVerdict>;
  /** Work for the hosts without a verdict. */
  readonly open: Map<FullHostName, HostWork>;
  /** Failed derivations that the log names: none of them is built, or its log stored, a second time. */
  readonly failures: Map<StorePath, DerivationFailure>;
  /** A bug in homelab-deploy ended one of its hosts, so nobody may rely on what it says. */
  hasBug: boolean;
  readonly warningsSaid: Set<string>;
}

/**
 * - `evaluation`: waits for an evaluator; `evaluating`: in one
 * - `check`: evaluated; whether its output is there already is being asked
 * - `ready`: waits for the next Nix process of its lane; `building`: in one
 * - `serving`: its output is there; whether the cache serves it is being proven
 * - `delayed`: an infrastructure fault; waits before it is retried
 * - `done`: has its verdict, or nobody wants it any more
 */
export type Stage =
  | "evaluation"
  | "evaluating"
  | "check"
  | "ready"
  | "building"
  | "serving"
  | "delayed"
  | "done";

export interface HostWork extends Revision {
  readonly key: WorkKey;
  readonly repo: RepoName;
  readonly host: HostName;
  /** Position in the order of asking. */
  readonly order: number;
  readonly watchers: Set<RunningBuild>;
  stage: Stage;
  evaluation: HostEvaluation | undefined;
  /** Known from before: this builder did not evaluate it for these builds. */
  remembered: boolean;
  /** It was too much for an evaluator that held others: the next one begins with it. */
  goesFirst: boolean;
  /** The process that decides about it, of those that build it. */
  process?: BuildProcess;
  /** How its output came to be there, the first time that it was seen. */
  outcome: "built" | "unchanged" | undefined;
  /** How often it was tried; grows only through infrastructure faults. */
  attempt: number;
  /** Since when, on the monotonic clock, it waits for a substituter that answers. */
  waitsSince?: number;
  /** How often another host's failure ended the process that was building it, while nobody came to an end. */
  interruptions: number;
  /** How many hosts had come to an end, by the board's count, when it was interrupted last. */
  interruptedAt?: number;
  /** It was evaluated again because its derivation was collected in between; that happens once. */
  reevaluated: boolean;
}

/** A Nix process that builds. */
export interface BuildProcess {
  /** The priority of the lane that it is in. */
  readonly priority: Priority;
}

/** Evaluated, and its output does not exist yet. */
export type ReadyWork = HostWork & { readonly evaluation: HostEvaluation };

export type WorkKey = `${RepoName}@${RevisionName}#${HostName}`;

export const workKey = (repo: RepoName, revision: Revision, host: HostName): WorkKey =>
  `${repo}@${revisionName(revision)}#${host}`;

/** Beside work on what was remembered, which a build that wants everything evaluated again cannot share. */
export const freshWorkKey = (key: WorkKey): WorkKey => `${key}!fresh` as WorkKey;

/** Work is as urgent as the most urgent build that wants it. */
export function priorityOf(work: HostWork): Priority {
  for (const build of work.watchers) if (build.priority === "interactive") return "interactive";
  return "batch";
}
