// What a person wants to see of a build right now: its state, the newest progress, and since when.
import type { BuildMessage } from "../../../bus/bus.ts";
import { applyEvent, unknownBuild, type BuildState, type HostState } from "../../../protocol/build-state.ts";
import type { BuildEvent } from "../../../protocol/events.ts";
import { fullName, type BuildId, type FullHostName } from "../../../protocol/names.ts";
import { formatDuration } from "../../../words/duration.ts";
import type { BuildProgress, HostProgress } from "../../../protocol/progress.ts";

/** Milliseconds of the monotonic clock. */
type Moment = number;

export interface Now {
  readonly monotonic: Moment;
  readonly wall: Date;
}

export interface BuildView {
  readonly state: BuildState;
  /** The newest progress message, and when it came. */
  readonly progress?: BuildProgress;
  readonly progressAt: Moment;
  /** The newest of each host, since a message says only what changed. */
  readonly hostProgress: ReadonlyMap<FullHostName, HostProgress>;
  /** When each host entered the phase that it is in. */
  readonly phaseSince: ReadonlyMap<FullHostName, Moment>;
  /** When the build was accepted or, before that, when we began to look. */
  readonly since: Moment;
  readonly connected: boolean;
}

export const newView = (build: BuildId, now: Now): BuildView => ({
  state: unknownBuild(build),
  progressAt: now.monotonic,
  hostProgress: new Map(),
  phaseSince: new Map(),
  since: now.monotonic,
  connected: true,
});

/** @throws RangeError when an event is missing, as `applyEvent` does. */
export function applyMessage(view: BuildView, message: BuildMessage, now: Now): BuildView {
  switch (message.type) {
    case "event":
      return withEvent(view, message.event, now);
    case "progress":
      return {
        ...view,
        progress: message.progress,
        progressAt: now.monotonic,
        hostProgress: withHostProgress(view.hostProgress, message.progress.hosts),
      };
    case "connection":
      return { ...view, connected: message.connected };
    case "log":
      return view;
  }
}

function withEvent(view: BuildView, event: BuildEvent, now: Now): BuildView {
  const state = applyEvent(view.state, event);
  if (state === view.state) return view;
  const at = momentOf(event.at, now);
  return {
    ...view,
    state,
    phaseSince: withPhases(view, state, event, at),
    since: event.type === "accepted" ? at : view.since,
  };
}

/**
 * When something happened on the monotonic clock. Events carry the wall clock of another machine: what seems to be
 * in the future has just happened.
 */
function momentOf(at: string, now: Now): Moment {
  const passed = now.wall.getTime() - Date.parse(at);
  return now.monotonic - Math.max(0, passed);
}

/** Only hosts that an event names change their phase: a large fleet has an event for a few of them many times a second. */
function withPhases(
  view: BuildView,
  state: BuildState,
  event: BuildEvent,
  at: Moment,
): BuildView["phaseSince"] {
  if (!("hosts" in event)) return view.phaseSince;
  const changed = event.hosts
    .map(fullName)
    .filter((name) => view.state.hosts.get(name)?.phase !== state.hosts.get(name)?.phase);
  if (changed.length === 0) return view.phaseSince;
  const phaseSince = new Map(view.phaseSince);
  for (const name of changed) phaseSince.set(name, at);
  return phaseSince;
}

function withHostProgress(
  known: BuildView["hostProgress"],
  changed: readonly HostProgress[],
): BuildView["hostProgress"] {
  if (changed.length === 0) return known;
  const progress = new Map(known);
  for (const host of changed) progress.set(fullName(host), host);
  return progress;
}

export const isBuilding = ({ phase }: HostState): boolean => phase === "building" || phase === "retrying";

/** It is in a Nix process, which builds for others: nothing of it is built or fetched. */
export const waitsForSlot = ({ hostProgress }: BuildView, host: HostState): boolean =>
  host.phase === "building" && hostProgress.get(fullName(host))?.waitsForSlot === true;

/** `~3m00s left`; undefined while too little is known. */
export function leftText({ progress, progressAt }: BuildView, now: Moment): string | undefined {
  const { leftMs } = progress?.builds ?? {};
  if (leftMs === undefined) return undefined;
  const left = leftMs - (now - progressAt);
  return left <= 0 ? undefined : `~${formatDuration(Math.ceil(left / 1000) * 1000)} left`;
}
