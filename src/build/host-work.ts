// One host at one revision: the unit of work. However many builds want the same host, there is one piece of work
// for it, and all of them watch it.
import type { HostEvaluation } from "../nix/nix.ts";
import type { HostName, RepoName } from "../protocol/names.ts";
import { revisionName, type Revision, type RevisionName } from "../protocol/overrides.ts";
import type { Priority } from "../protocol/request.ts";
import type { RunningBuild } from "./running-build.ts";

/**
 * - `evaluation`: waits for an evaluator; `evaluating`: in one
 * - `check`: evaluated; whether its output is there already is being asked
 * - `ready`: waits for the next Nix process of its lane; `building`: in one
 * - `serving`: its output is there; whether the cache serves it is being proven
 * - `delayed`: an infrastructure fault; waits before it is tried again
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
  /** Evaluate it in a process of its own: its batch failed, and perhaps through it. */
  alone: boolean;
  /** How its output came to be there, the first time that it was seen. */
  outcome: "built" | "unchanged" | undefined;
  /** How often it was tried; grows only through infrastructure faults. */
  attempt: number;
  /** It was evaluated again because its derivation was collected in between; that happens once. */
  reevaluated: boolean;
}

/** Evaluated, and its output is not there yet. */
export type ReadyWork = HostWork & { readonly evaluation: HostEvaluation };

export type WorkKey = `${RepoName}@${RevisionName}#${HostName}`;

export const workKey = (repo: RepoName, revision: Revision, host: HostName): WorkKey =>
  `${repo}@${revisionName(revision)}#${host}`;

/** Work is as urgent as the most urgent build that wants it. */
export function priorityOf(work: HostWork): Priority {
  for (const build of work.watchers) if (build.priority === "interactive") return "interactive";
  return "batch";
}
