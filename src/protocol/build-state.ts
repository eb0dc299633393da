// What is known about a build after some of its events. A pure fold: builder, CLI, metrics and dashboard all see
// the same thing.
import type {
  BuildEvent,
  DerivationFailure,
  EvaluatedHost,
  FinishedHost,
  HostRef,
  SkippedHost,
  Source,
  UnresolvedRepo,
} from "./events.ts";
import { isDenied } from "./exit-codes.ts";
import { fullName, type BuilderName, type BuildId, type Commit, type FullHostName } from "./names.ts";
import type { Priority, Trigger } from "./request.ts";
import { isSuccess, outcomeOf, type BuildVerdict } from "./verdicts.ts";

export type HostPhase = "waiting" | "evaluated" | "building" | "retrying" | "finished";

export interface HostState extends HostRef {
  readonly phase: HostPhase;
  readonly evaluated?: EvaluatedHost;
  readonly finished?: FinishedHost;
}

export interface BuildState {
  readonly id: BuildId;
  /** `queued` until the first event; then `running`; then it is over. */
  readonly status: "queued" | "running" | BuildVerdict;
  readonly epoch: number;
  /** The index that the next event must have. */
  readonly nextIndex: number;
  readonly builder?: BuilderName;
  readonly priority?: Priority;
  readonly trigger?: Trigger;
  readonly requestedBy?: string;
  readonly replyTo?: string;
  readonly sources: readonly Source[];
  /** Every host of the inventory that was asked for, in the inventory's order. */
  readonly hosts: ReadonlyMap<FullHostName, HostState>;
  readonly skipped: readonly SkippedHost[];
  /** Every host of these repos was asked for. */
  readonly complete?: boolean;
  /** What was asked for: see `requestDigest`. */
  readonly about?: string;
  /** Everything is evaluated again. */
  readonly fresh?: boolean;
  /** Hosts that are the same at this commit were left out. */
  readonly changedSince?: Commit;
  /** More hosts are going to be named: the inventory comes in parts, and this is not the last. */
  readonly isPartial?: boolean;
  /** Repos that were asked for as well, and of which no host is known. */
  readonly unresolved?: readonly UnresolvedRepo[];
  readonly failures: readonly DerivationFailure[];
  readonly warnings: readonly string[];
  /** Why it ended as it did, where that needs words. */
  readonly reason?: string;
  /** The whole of it, where `reason` is only a part. */
  readonly details?: string;
  /** The same for programs: `INTERNAL` if a bug in homelab-deploy ended the build, or one of its hosts. */
  readonly code?: string;
  readonly rejection?: { readonly code: string; readonly message: string; readonly hint?: string };
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly durationMs?: number;
}

export const unknownBuild = (id: BuildId): BuildState => ({
  id,
  status: "queued",
  epoch: 0,
  nextIndex: 0,
  sources: [],
  hosts: new Map(),
  skipped: [],
  failures: [],
  warnings: [],
});

export const isOver = (state: BuildState): boolean => state.status !== "queued" && state.status !== "running";

/** The state of a build with a bug in it as one word more than its verdict. */
export const statusOf = ({
  status,
  code,
}: Pick<BuildState, "status" | "code">): BuildState["status"] | "internal-error" =>
  outcomeOf({ verdict: status, code });

/** Whether it got no further because a remote refuses us: the repo itself, or an input of every host without a verdict. */
export function wasDenied({ status, rejection, unresolved, hosts }: BuildState): boolean {
  if (status === "rejected") return isDenied(rejection?.code);
  const without = [...hosts.values()].flatMap(({ finished }) =>
    finished !== undefined && isSuccess(finished.verdict) ? [] : [finished?.code],
  );
  return unresolved === undefined && without.length > 0 && without.every(isDenied);
}

/** The request was about what changed since a commit, and nothing did: there is no build, and nothing is wrong. */
export const hasNoChanges = ({ rejection }: BuildState): boolean => rejection?.code === "NO_CHANGES";

/** Hosts of the inventory that have no verdict yet. */
export const openHosts = (state: BuildState): HostState[] =>
  [...state.hosts.values()].filter((host) => host.finished === undefined);

/**
 * The state after one more event. An event that was already seen (its index is lower) changes nothing; one that
 * leaves a gap is the caller's fault, who has to read the missing ones first.
 *
 * @throws RangeError when events are missing before this one.
 */
export function applyEvent(state: BuildState, event: BuildEvent): BuildState {
  if (event.index < state.nextIndex) return state;
  if (event.index > state.nextIndex) {
    throw new RangeError(
      `event ${event.index} of build ${event.build} came when ${state.nextIndex} was next`,
    );
  }
  return {
    ...state,
    ...changeOf(state, event),
    epoch: Math.max(state.epoch, event.epoch),
    nextIndex: event.index + 1,
  };
}

export const foldEvents = (id: BuildId, events: readonly BuildEvent[]): BuildState =>
  events.reduce(applyEvent, unknownBuild(id));

function changeOf(state: BuildState, event: BuildEvent): Partial<BuildState> {
  switch (event.type) {
    case "accepted":
      return {
        status: "running",
        builder: event.builder,
        priority: event.priority,
        trigger: event.trigger,
        ...(event.requestedBy === undefined ? {} : { requestedBy: event.requestedBy }),
        ...(event.replyTo === undefined ? {} : { replyTo: event.replyTo }),
        sources: event.sources,
        hosts: withNewHosts(state, event.hosts),
        skipped: [...state.skipped, ...event.skipped],
        ...(event.about === undefined ? {} : { about: event.about }),
        ...(event.fresh === undefined ? {} : { fresh: event.fresh }),
        ...(event.changedSince === undefined ? {} : { changedSince: event.changedSince }),
        ...(event.complete === undefined ? {} : { complete: event.complete }),
        ...(event.unresolved === undefined ? {} : { unresolved: event.unresolved }),
        ...(event.part === undefined ? {} : { isPartial: event.part.number < event.part.of }),
        startedAt: state.startedAt ?? event.at,
      };
    case "resumed":
      return { builder: event.builder };
    case "evaluated":
      return {
        hosts: withHosts(state, event.hosts, (host, evaluated) => ({
          ...host,
          phase: "evaluated",
          evaluated,
        })),
      };
    case "building":
      return { hosts: withHosts(state, event.hosts, (host) => ({ ...host, phase: "building" })) };
    case "retrying":
      return {
        hosts: withHosts(state, event.hosts, (host) => ({ ...host, phase: "retrying" })),
        warnings: withWarning(state.warnings, `${event.reason}; trying again`),
      };
    case "hosts-finished":
      return {
        hosts: withHosts(state, event.hosts, (host, finished) => ({ ...host, phase: "finished", finished })),
      };
    case "derivation-failed":
      return { failures: withFailure(state.failures, failureOf(event)) };
    case "warning":
      return { warnings: [...state.warnings, event.message] };
    case "finished":
      return {
        status: event.verdict,
        reason: event.reason,
        details: event.details,
        code: event.code,
        ...(event.sources === undefined ? {} : { sources: event.sources }),
        finishedAt: event.at,
        durationMs: event.durationMs,
      };
    case "rejected": {
      const { code, message, hint } = event;
      return {
        status: "rejected",
        reason: message,
        rejection: { code, message, hint },
        finishedAt: event.at,
      };
    }
  }
}

/** Without what is the event's own: the failure may be said again, in another event. */
function failureOf(event: BuildEvent & { readonly type: "derivation-failed" }): DerivationFailure {
  const { build: _build, epoch: _epoch, index: _index, at: _at, type: _type, ...failure } = event;
  return failure;
}

/** A derivation that is said to have failed again breaks more hosts than was known; it is still one failure. */
function withFailure(
  failures: readonly DerivationFailure[],
  failure: DerivationFailure,
): readonly DerivationFailure[] {
  const known = failures.find(({ drvPath }) => drvPath === failure.drvPath);
  if (known === undefined) return [...failures, failure];
  const names = new Set(known.hosts.map(fullName));
  const hosts = [...known.hosts, ...failure.hosts.filter((host) => !names.has(fullName(host)))];
  return failures.map((each) => (each === known ? { ...known, hosts } : each));
}

function withNewHosts(state: BuildState, named: readonly HostRef[]): BuildState["hosts"] {
  const hosts = new Map(state.hosts);
  for (const host of named) hosts.set(fullName(host), { ...host, phase: "waiting" });
  return hosts;
}

/** Hosts that already have their verdict keep it: it never changes. */
function withHosts<Item extends HostRef>(
  state: BuildState,
  items: readonly Item[],
  change: (host: HostState, item: Item) => HostState,
): ReadonlyMap<FullHostName, HostState> {
  const hosts = new Map(state.hosts);
  for (const item of items) {
    const host = hosts.get(fullName(item));
    if (host !== undefined && host.finished === undefined) hosts.set(fullName(item), change(host, item));
  }
  return hosts;
}

/** A lasting problem is reported at each attempt, and counts as one warning. */
const withWarning = (warnings: readonly string[], warning: string): readonly string[] =>
  warnings.includes(warning) ? warnings : [...warnings, warning];
