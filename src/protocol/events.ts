// The event log of a build: the truth about it. Events are appended by the builder that holds the build, in
// order, without a gap, and never changed. Several hosts share an event where they came together, so that a
// fleet of a thousand hosts needs tens of events and not thousands.
import * as v from "valibot";
import { messageOf } from "../base/errors.ts";
import { SignedStatement } from "./deploy/statement.ts";
import { LockedInputs } from "./locked-inputs.ts";
import { BranchName, BuilderName, BuildId, Commit, HostName, RepoName, StorePath } from "./names.ts";
import { Overrides } from "./overrides.ts";
import { Label, Priority, Trigger } from "./request.ts";
import { BuildVerdict, HostVerdict } from "./verdicts.ts";
import { decode, encode, limits, wireVersion } from "./wire.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const milliseconds = v.pipe(v.number(), v.minValue(0));
/** Text from Nix, git or a build: bounded, and escaped only where it is shown. */
const text = v.pipe(v.string(), v.maxLength(16 * 1024));

/** Explains a verdict further, by a code from docs/reference/errors.md: `INTERNAL` is a bug in homelab-deploy. */
const code = v.pipe(v.string(), v.maxLength(64));

export const HostRef = v.object({ repo: RepoName, host: HostName });
export type HostRef = v.InferOutput<typeof HostRef>;

export const Source = v.object({
  repo: RepoName,
  branch: v.optional(BranchName),
  commit: Commit,
  /** The overrides, as the request had them. */
  overrides: v.optional(Overrides),
  /** Whether this was the tip of the branch that the repo is configured with. Absent in builds of earlier releases. */
  tip: v.optional(v.boolean()),
  /** What flake.lock says, of the tip of the repo's branch. Absent where it cannot be told, and of earlier releases. */
  inputs: v.optional(LockedInputs),
});
export type Source = v.InferOutput<typeof Source>;

/** Whether the build tells how the repo's branch is. Earlier releases only said about which branch a commit was the tip. */
export const isOfTip = ({ tip, branch, overrides }: Source): boolean =>
  overrides === undefined && (tip ?? branch !== undefined);

/** A host that is left out. Its name may be one that we cannot use otherwise, hence plain text. */
const SkippedHost = v.object({ repo: RepoName, host: text, reason: text });
export type SkippedHost = v.InferOutput<typeof SkippedHost>;

/** A repo of the request that could not be read at all. Its hosts have no verdict, so the build is not a success. */
const UnresolvedRepo = v.object({ repo: RepoName, reason: text });
export type UnresolvedRepo = v.InferOutput<typeof UnresolvedRepo>;

const EvaluatedHost = v.object({
  ...HostRef.entries,
  drvPath: StorePath,
  outPath: StorePath,
  /** Known from an earlier build of the same commit: nothing was evaluated. */
  remembered: v.boolean(),
  warnings: v.optional(v.array(text)),
});
export type EvaluatedHost = v.InferOutput<typeof EvaluatedHost>;

const FinishedHost = v.object({
  ...HostRef.entries,
  verdict: HostVerdict,
  outPath: v.optional(StorePath),
  /** Why, in one line; present for everything but success. */
  reason: v.optional(text),
  /** The whole message where `reason` is only its first line, such as an evaluation error with its trace. */
  details: v.optional(text),
  /** The warnings of a host that did not evaluate: what it warned of and traced before. */
  warnings: v.optional(v.array(text)),
  /**
   * Whether the binary cache was proven to serve all of it, signed; absent where the builder was not told to look, or
   * where there is nothing to serve.
   */
  cached: v.optional(v.boolean()),
  /** What a host needs to activate it: of the tip of a configured branch, once the cache was proven to serve it. */
  statement: v.optional(SignedStatement),
  code: v.optional(code),
  /** From the build's acceptance to this verdict. */
  durationMs: milliseconds,
});
export type FinishedHost = v.InferOutput<typeof FinishedHost>;

const failureKinds = ["failed", "timed-out", "infra"] as const;

/** A derivation that failed by itself, said once, with every host that it breaks. */
export const DerivationFailure = v.object({
  drvPath: StorePath,
  name: text,
  kind: v.picklist(failureKinds),
  /** One line: `builder failed with exit code 2`. */
  reason: text,
  exitCode: v.optional(v.number()),
  phase: v.optional(text),
  /** The remote builder that it was built on, `ssh://arm1`; absent for the builder itself, and of earlier releases. */
  machine: v.optional(text),
  /** The last lines of its log. */
  tail: v.pipe(v.array(text), v.maxLength(100)),
  hosts: v.array(HostRef),
  /** The number of its full log; absent when there is none. */
  log: v.optional(count),
});
export type DerivationFailure = v.InferOutput<typeof DerivationFailure>;

const bodies = {
  /** The build is stored with its exact inputs and will end in one verdict. Always the first event but for the terminal ones. */
  accepted: v.object({
    type: v.literal("accepted"),
    builder: BuilderName,
    priority: Priority,
    trigger: Trigger,
    requestedBy: v.optional(Label),
    replyTo: v.optional(v.string()),
    sources: v.array(Source),
    hosts: v.array(HostRef),
    skipped: v.array(SkippedHost),
    /** What was asked for: see `requestDigest`. Absent in builds of earlier releases. */
    about: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
    /** Remembered results of these commits are not used, as the request asked. Earlier releases do not know this field. */
    fresh: v.optional(v.boolean()),
    /** Hosts whose derivation is the same at this commit are left out, as the request specified. */
    changedSince: v.optional(Commit),
    /** Every host of these repos was asked for, and not only some by name. */
    complete: v.optional(v.boolean()),
    /** For a request for any repo: the repos that could not be read. This build is about the others. */
    unresolved: v.optional(v.array(UnresolvedRepo)),
    /**
     * An inventory that is too large for one event comes in several `accepted` that follow each other, each with some of
     * the hosts and all else repeated. Sent as version 2, which readers that would take the first for all refuse.
     */
    part: v.optional(v.object({ number: v.pipe(count, v.minValue(1)), of: v.pipe(count, v.minValue(2)) })),
  }),
  /** Another builder, or the same after a restart, continues with it. Its epoch is one higher. */
  resumed: v.object({ type: v.literal("resumed"), builder: BuilderName }),
  evaluated: v.object({
    type: v.literal("evaluated"),
    hosts: v.array(EvaluatedHost),
    durationMs: milliseconds,
  }),
  /** These hosts were handed to Nix to build. */
  building: v.object({ type: v.literal("building"), hosts: v.array(HostRef) }),
  "derivation-failed": v.object({ type: v.literal("derivation-failed"), ...DerivationFailure.entries }),
  "hosts-finished": v.object({ type: v.literal("hosts-finished"), hosts: v.array(FinishedHost) }),
  /** Something that people should know and that is not a failure: a substituter left out, log lines dropped. */
  warning: v.object({ type: v.literal("warning"), message: text }),
  /** An infrastructure fault: these hosts are retried. */
  retrying: v.object({
    type: v.literal("retrying"),
    hosts: v.array(HostRef),
    reason: text,
    attempt: count,
    delayMs: milliseconds,
  }),
  /** The last event; the first one too, with where to answer, for a request that never became a build. */
  finished: v.object({
    type: v.literal("finished"),
    verdict: BuildVerdict,
    /** The reason of a build whose hosts could not be listed: the error, at most 20 lines of it. */
    reason: v.optional(text),
    /** The whole error, where `reason` is only a part of it. */
    details: v.optional(text),
    code: v.optional(code),
    durationMs: milliseconds,
    replyTo: v.optional(v.string()),
    /** For a build whose hosts could not be listed: the commit at which that failed. */
    sources: v.optional(v.array(Source)),
  }),
  /** The request itself cannot be served. First and last event. */
  rejected: v.object({
    type: v.literal("rejected"),
    code: v.string(),
    message: text,
    hint: v.optional(text),
    replyTo: v.optional(v.string()),
  }),
} as const;

export const EventBody = v.variant("type", [
  bodies.accepted,
  bodies.resumed,
  bodies.evaluated,
  bodies.building,
  bodies["derivation-failed"],
  bodies["hosts-finished"],
  bodies.warning,
  bodies.retrying,
  bodies.finished,
  bodies.rejected,
]);
export type EventBody = v.InferOutput<typeof EventBody>;

const Envelope = v.object({
  build: BuildId,
  /** Counts the builders that held the build, from 1. */
  epoch: v.pipe(count, v.minValue(1)),
  /** The event's place in the build's log, from 0, without a gap. */
  index: count,
  /** RFC 3339, UTC. For people; nothing is decided by it. */
  at: v.pipe(v.string(), v.isoTimestamp()),
});
type Envelope = v.InferOutput<typeof Envelope>;

export const BuildEvent = v.intersect([Envelope, EventBody]);
export type BuildEvent = Envelope & EventBody;
export type EventOf<Type extends EventBody["type"]> = Extract<EventBody, { type: Type }>;

/**
 * An event of this envelope and this body. A body can have the fields of an envelope as well, where it repeats what an
 * earlier event said; which event it becomes is decided by the envelope alone.
 */
export function composeEvent({ build, epoch, index, at }: Envelope, body: EventBody): BuildEvent {
  const envelope = { build, epoch, index, at };
  // Twice: first, so that all events are written in the same order of fields, and last, so that it wins.
  return { ...envelope, ...body, ...envelope };
}

export const isTerminal = (event: EventBody): boolean =>
  event.type === "finished" || event.type === "rejected";

/** The version of the protocol that a reader of this event must know. */
export const eventVersion = (event: EventBody): number =>
  event.type === "accepted" && event.part !== undefined ? 2 : wireVersion;

/**
 * @throws TypeError for an event that could not be read again, or that is too large: a log that has one tells nobody
 *   anything any more.
 */
export function encodeEvent(event: BuildEvent): Uint8Array {
  const bytes = encode({ v: eventVersion(event), ...event });
  try {
    decodeBounded(bytes, limits.event);
  } catch (error) {
    throw new TypeError(`an event \`${event.type}\` is not valid: ${messageOf(error)}`, { cause: error });
  }
  return bytes;
}

export const decodeEvent = (bytes: Uint8Array): BuildEvent => decodeBounded(bytes, 1024 * 1024);

const decodeBounded = (bytes: Uint8Array, maxBytes: number): BuildEvent =>
  decode(BuildEvent, bytes, { what: "build event", maxBytes, newestVersion: 2 });

/** Cuts a list so that each piece, encoded, stays far below the limit of one event. */
export function inEventSizes<Item extends object>(
  items: readonly Item[],
  maxBytes = limits.event / 2,
): Item[][] {
  const pieces: Item[][] = [];
  let piece: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item)) + 1;
    if (piece.length > 0 && bytes + size > maxBytes) {
      pieces.push(piece);
      piece = [];
      bytes = 0;
    }
    piece.push(item);
    bytes += size;
  }
  if (piece.length > 0) pieces.push(piece);
  return pieces;
}

/** Text that fits an event's field; it says how much was cut. */
export function boundedText(value: string, max = 8 * 1024): string {
  return value.length <= max ? value : `${value.slice(0, max)}… (${value.length - max} characters more)`;
}
