// What the services need of NATS. `createReader` (create-reader.ts) and `createBuilderBus` (create-builder-bus.ts)
// are the real ones.
import { hasCode } from "../base/errors.ts";
import type { BuilderStatus } from "../protocol/builder-status.ts";
import type { BuildEvent } from "../protocol/events.ts";
import type { LogChunk } from "../protocol/log-chunk.ts";
import type { HostName, BuilderName, BuildId, RepoName } from "../protocol/names.ts";
import type { RolloutId } from "../protocol/rollout/rollout-events.ts";
import type { BuildProgress } from "../protocol/progress.ts";
import type { ToldFailures } from "../protocol/branch-news.ts";
import type { BuildResult, HostResult } from "../protocol/results.ts";
import type { BuildRequest, ControlMessage } from "../protocol/request.ts";
import type { UpdateEvent } from "../protocol/update-events.ts";
import type { Target } from "../protocol/subjects.ts";

/** A message of the work queue, held by us until it is acked, handed back, or left alone for too long. */
export interface Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Where and when it is stored: the same for every delivery of the same message. */
  readonly sequence: number;
  readonly storedAt: Date;
  /** When the stream was created (RFC 3339): sequences are unique only together with it. */
  readonly streamCreated: string;
  /** From 1. */
  readonly deliveryCount: number;
  /** Keeps it for another while (the consumer's ack wait). */
  working(): void;
  /**
   * Resolves once the server knows.
   * @throws HomelabError `unavailable` when it does not answer: it may deliver the message again.
   */
  ack(signal: AbortSignal): Promise<void>;
  handBack(delayMs: number): void;
}

/** The remaining events would give a wrong picture of the build. */
export const hasLostEvents = (error: unknown): boolean => hasCode(error, "EVENTS_INCOMPLETE");

/** The log has moved on: another builder holds the build. */
export class NotTheHolderError extends Error {
  override readonly name = "NotTheHolderError";
}

/** What follows a build, in order. `gap` never appears: missing events are read before later ones are given. */
export type BuildMessage =
  | { readonly type: "event"; readonly event: BuildEvent }
  | { readonly type: "progress"; readonly progress: BuildProgress }
  | { readonly type: "log"; readonly chunk: LogChunk }
  /** The connection was lost, or is back. */
  | { readonly type: "connection"; readonly connected: boolean };

export interface FollowOptions {
  readonly progress?: boolean;
  readonly logs?: boolean;
}

/** The rows that are kept of builds that are over, and of hosts. Where there are none, event logs say the same. */
export interface ResultReader {
  /** The builds that have a row: look here before asking for one, because nobody may answer where there is no bucket. */
  builds(signal: AbortSignal): Promise<ReadonlySet<BuildId>>;
  build(id: BuildId, signal: AbortSignal): Promise<BuildResult | undefined>;
  hosts(signal: AbortSignal): Promise<readonly HostResult[]>;
}

/** @throws HomelabError if it is not stored: it may be retried. */
export interface ResultStore extends ResultReader {
  /** If two rows compete, the one with the longer log stays. */
  putBuild(result: BuildResult, signal: AbortSignal): Promise<void>;
  /** If two rows compete, the one of the newer build stays; returns the one that is stored now. */
  putHost(result: HostResult, signal: AbortSignal): Promise<HostResult>;
  /** What people were last told about the repo's branch, and the place of that row. */
  told(repo: RepoName, signal: AbortSignal): Promise<StoredTold>;
  /** False when the row has changed since it had this place. */
  putTold(told: ToldFailures, sequence: number, signal: AbortSignal): Promise<boolean>;
}

export interface StoredTold {
  readonly told: ToldFailures | undefined;
  readonly sequence: number;
}

/** Requests that no builder has accepted yet. */
export interface QueueState {
  readonly waiting: number;
  /** When the oldest was stored; absent where nobody can tell. */
  readonly oldestAt?: Date;
  /** What they are about; most requests first. */
  readonly targets: readonly { readonly target: Target; readonly count: number }[];
}

/** Stored news of updates. */
export interface UpdateReader {
  /** The newest event of each repo that has one, by repo. */
  newest(signal: AbortSignal): Promise<readonly UpdateEvent[]>;
  /** All events of a repo, oldest first. */
  of(repo: RepoName, signal: AbortSignal): Promise<readonly UpdateEvent[]>;
}

/** For everyone who asks for builds and reads about them. Needs no right to create consumers. */
export interface BuildReader {
  /** Stores the request; the same id again changes nothing. @throws HomelabError when it could not be stored. */
  submit(
    target: Target,
    request: BuildRequest & { readonly id: BuildId },
    signal: AbortSignal,
  ): Promise<void>;
  control(id: BuildId, message: ControlMessage, signal: AbortSignal): Promise<void>;
  /** All events so far, from `fromIndex`, without a gap. */
  readEvents(id: BuildId, fromIndex: number, signal: AbortSignal): Promise<readonly BuildEvent[]>;
  /** Ends after the build's last event, or when aborted. */
  follow(id: BuildId, options: FollowOptions, signal: AbortSignal): AsyncIterable<BuildMessage>;
  /** Stored chunks in the order of storing; ends at what is stored now. */
  readLogs(id: BuildId, signal: AbortSignal): AsyncIterable<LogChunk>;
  /** Ids of the builds that the event stream still has, newest first. */
  listBuilds(signal: AbortSignal): Promise<readonly BuildId[]>;
  /** The same, with how many events it has of each. */
  countEvents(signal: AbortSignal): Promise<ReadonlyMap<BuildId, number>>;
  readonly results: ResultReader;
  readonly updates: UpdateReader;
  /** The newest builds among them that a builder has accepted, at most `count`. Looks at a few thousand at most. */
  acceptedBuilds(count: number, signal: AbortSignal): Promise<readonly BuildId[]>;
  /** The newest event of a build; undefined when it has none. */
  lastEvent(id: BuildId, signal: AbortSignal): Promise<BuildEvent | undefined>;
  /** The builder's own answer; undefined when none comes within a second. */
  askBuilder(name: BuilderName, signal: AbortSignal): Promise<BuilderStatus | undefined>;
  /** The last status of every builder that was ever seen. */
  listBuilders(signal: AbortSignal): Promise<readonly BuilderStatus[]>;
  /** How many requests wait that no builder has accepted yet. */
  queueLength(signal: AbortSignal): Promise<number>;
  /** The same, with what they are about and since when. */
  readQueue(signal: AbortSignal): Promise<QueueState>;
}

/** A hint that there is something to read, or that the connection was lost or is back. Nothing is true because of it. */
export type FleetNews =
  | { readonly type: "build"; readonly build: BuildId }
  | { readonly type: "update" }
  /** The host published an event of a deployment. */
  | { readonly type: "deployment"; readonly repo: RepoName; readonly host: HostName }
  /** The log of a rollout grew. */
  | { readonly type: "rollout"; readonly rollout: RolloutId }
  | { readonly type: "connection"; readonly connected: boolean };

/** How full a stream is. */
export interface StreamUse {
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
  /** -1 for no limit. */
  readonly maxBytes: number;
}

/** One log of a build, by chunks. */
export interface StoredLog {
  readonly log: number;
  readonly chunks: number;
}

/** A chunk and its place in the stream: reading can start after it. */
export interface PlacedChunk {
  readonly place: number;
  readonly chunk: LogChunk;
}

/** For who shows the fleet as it changes, and single logs of any length. */
export interface FleetWatcher {
  watch(onNews: (news: FleetNews) => void, signal: AbortSignal): void;
  isConnected(): boolean;
  /** Streams that there are. */
  streams(signal: AbortSignal): Promise<readonly StreamUse[]>;
  /** The logs that are stored of a build, by their numbers. */
  listLogs(build: BuildId, signal: AbortSignal): Promise<readonly StoredLog[]>;
  /** Chunks of one log behind that place (0: all of them); ends at what is stored now. */
  readLog(build: BuildId, log: number, after: number, signal: AbortSignal): AsyncIterable<PlacedChunk>;
}

/** The event log of one build, for its holder. */
export interface EventLogWriter {
  /**
   * Appends the next event, retrying while NATS is away.
   * @throws NotTheHolderError when somebody else appended in between; TypeError for an event that is not valid;
   *   HomelabError `unavailable` `EVENTS_INCOMPLETE` when events that were there before are gone, and other kinds
   *   when the server refuses it for good.
   */
  append(event: BuildEvent, signal: AbortSignal): Promise<void>;
}

/** How full the event stream is. When it is full the server drops the oldest events. */
export interface EventSpace {
  readonly bytes: number;
  /** -1 for no limit. */
  readonly maxBytes: number;
  /** The sequence of the oldest event that is kept, or of the next one where there is none. */
  readonly firstSequence: number;
  readonly oldestAt: Date;
  readonly newestAt: Date;
}

/** Batch requests that wait where nobody else waits behind them. */
export interface Backlog {
  /** Puts a request aside, which is then still to be acknowledged. False when there is no room for it. */
  add(delivery: Delivery, target: Target, signal: AbortSignal): Promise<boolean>;
  /** The next one, as it was in the queue; undefined when none came for a while, or with `wait: false` when there is none. */
  next(signal: AbortSignal, options?: { readonly wait?: boolean }): Promise<Delivery | undefined>;
}

/** For builders. */
export interface BuilderBus extends BuildReader {
  readonly results: ResultStore;
  /** Waits for the next request; undefined when none came for a while, or with `wait: false` when there is none. */
  nextRequest(signal: AbortSignal, options?: { readonly wait?: boolean }): Promise<Delivery | undefined>;
  /** Undefined where the server has none (yet). */
  openBacklog(signal: AbortSignal): Promise<Backlog | undefined>;
  nextControl(signal: AbortSignal): Promise<Delivery | undefined>;
  /** The size and use of the event stream. */
  eventSpace(signal: AbortSignal): Promise<EventSpace>;
  /** Calls back for each control message as it is published, also when another builder takes it from the queue. */
  watchControls(onControl: (subject: string, data: Uint8Array) => void, signal: AbortSignal): void;
  /** A writer that continues after the given events: none for a new build, for another at least the last one. */
  openEventLog(id: BuildId, history: readonly BuildEvent[], signal: AbortSignal): Promise<EventLogWriter>;
  /**
   * Stores a chunk, retrying while NATS is away.
   * @throws HomelabError when the server refuses it, or, although connected, has not taken it for some minutes.
   */
  appendLog(chunk: LogChunk, signal: AbortSignal): Promise<void>;
  /** Not stored; lost while disconnected. */
  publishProgress(progress: BuildProgress): void;
  /** The same event for a plain client; not stored. `replyTo` was validated. */
  reply(replyTo: string, event: BuildEvent): void;
  putStatus(status: BuilderStatus, signal: AbortSignal): Promise<void>;
  answerStatus(name: BuilderName, status: () => BuilderStatus, signal: AbortSignal): void;
  /** The results of updates, from the oldest that is stored on. Ends when aborted. */
  followUpdates(signal: AbortSignal): AsyncIterable<UpdateEvent>;
  /** Serious things to know about this server, such as that it may lose acknowledged messages in a power cut. */
  readonly serverWarnings: readonly string[];
  readonly isConnected: () => boolean;
}
