// What rollouts need of NATS: their logs, and asking the deployer for one.
import type { RepoName } from "../protocol/names.ts";
import type { RolloutEvent, RolloutId } from "../protocol/rollout/rollout-events.ts";
import type { StartAnswer, StartRequest } from "../protocol/rollout/start-request.ts";

export interface RolloutLog {
  readonly events: readonly RolloutEvent[];
  /** The sequence of the log's last message, for the next compare-and-swap; 0 for an empty one. */
  readonly sequence: number;
  /** For a deployer: what everybody else reads there, if it did not create this rollout. `events` is empty then. */
  readonly foreign?: readonly RolloutEvent[];
}

/** For everybody who reads. */
export interface RolloutReader {
  /** The ids of all repos' rollouts, newest first. */
  rolloutIds(signal: AbortSignal): Promise<readonly RolloutId[]>;
  /** Empty for one that nobody created. */
  readRollout(id: RolloutId, signal: AbortSignal): Promise<RolloutLog>;
  /** The sequence of the log's last message; 0 if there is none. A cheap way to see whether there is more. */
  lastSequence(id: RolloutId, signal: AbortSignal): Promise<number>;
  /** Its whole log so far, and again whenever it grew, until the signal aborts. What was missed is read before more is given. */
  followRollout(id: RolloutId, signal: AbortSignal): AsyncIterable<RolloutLog>;
}

/** For operators, who pause, resume and abort, and for the deployer. */
export interface RolloutBus extends RolloutReader {
  /**
   * Appends to a log, if its last message still is that of this sequence.
   * @returns the sequence of the new message; undefined when somebody else was faster: read again
   */
  appendRolloutEvent(
    event: RolloutEvent,
    afterSequence: number,
    signal: AbortSignal,
  ): Promise<number | undefined>;
  /**
   * Asks the deployer.
   * @param signal also ends the wait for its answer
   * @returns undefined where no deployer listens for that repo
   */
  askForRollout(repo: RepoName, request: StartRequest, signal: AbortSignal): Promise<StartAnswer | undefined>;
}

/** Something may have changed: of a rollout's log, or of a host's. Never promised, and never believed. */
export type RolloutNews =
  | { readonly type: "rollout"; readonly rollout: RolloutId }
  | { readonly type: "connection"; readonly connected: boolean };

/** For the deployer. */
export interface DeployerBus extends RolloutBus {
  /** Answers requests for this repo until the signal aborts. What cannot be read is refused without `answer`. */
  answerStarts(
    repo: RepoName,
    answer: (request: StartRequest) => Promise<StartAnswer>,
    signal: AbortSignal,
  ): void;
  /** Hints of rollouts' logs, until the signal aborts. */
  watchRollouts(onNews: (news: RolloutNews) => void, signal: AbortSignal): void;
}
