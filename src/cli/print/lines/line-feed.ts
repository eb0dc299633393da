// A build as a sequence of lines with their time, for logs: one line for each change, and a sign of life when
// nothing changes for a while.
import type { Clock } from "../../../base/clock.ts";
import type { BuildMessage } from "../../../bus/bus.ts";
import { openHosts } from "../../../protocol/build-state.ts";
import { fullName, type BuildId } from "../../../protocol/names.ts";
import {
  applyMessage,
  isBuilding,
  leftText,
  newView,
  waitsForSlot,
  type BuildView,
  type Now,
} from "../live/build-view.ts";
import { formatDuration, formatUtcTime } from "../../../words/duration.ts";
import { eventLines, type EventLine } from "./event-lines.ts";
import { startHeartbeat, type Heartbeat } from "./heartbeat.ts";
import { hostLabelOf } from "../../../words/host-names.ts";
import { onMachine } from "../../../words/machine-words.ts";
import { startedDerivations } from "../live/started-derivations.ts";
import type { Style } from "../style.ts";
import { cut, displayWidth, padEnd } from "../text-width.ts";

const quietMs = 30_000;
const widestHost = 24;
const mostInHeartbeat = 4;

export interface LineFeed {
  start(build: BuildId): void;
  message(message: BuildMessage): void;
  /** A line that is not about a host. */
  say(text: string): void;
  /** Something else was printed: no sign of life is needed soon. */
  heard(): void;
  stop(): void;
}

export interface LineFeedOptions {
  readonly clock: Clock;
  readonly style: Style;
  /** A line for each derivation that starts. */
  readonly derivations?: boolean;
  /** Lines without their newline. */
  readonly write: (lines: readonly string[]) => void;
  /** Called with each sign of life, before it is printed. */
  readonly onQuiet?: () => void;
}

export function createLineFeed(options: LineFeedOptions): LineFeed {
  const { clock, style, write, onQuiet } = options;
  let view: BuildView | undefined;
  let heartbeat: Heartbeat | undefined;
  let hostWidth = 1;

  const now = (): Now => ({ monotonic: clock.monotonic(), wall: clock.now() });

  /** Events have the time when they happened, also when we look at them later. */
  function print(lines: readonly EventLine[], at = clock.now()): void {
    if (lines.length === 0) return;
    const time = style.dim(formatUtcTime(at));
    write(
      lines.map(({ host = "-", text }) => {
        const name = padEnd(cut(host, hostWidth, style.glyphs.ellipsis), hostWidth);
        return `${time}  ${host === "-" ? style.dim(name) : name}  ${text}`;
      }),
    );
    heartbeat?.heard();
  }

  return {
    start(build) {
      view = newView(build, now());
      heartbeat = startHeartbeat({
        clock,
        quietMs,
        beat() {
          onQuiet?.();
          if (view !== undefined) print([{ text: signOfLife(view, style, clock.monotonic()) }]);
        },
      });
    },
    message(message) {
      if (view === undefined) return;
      const before = view;
      view = applyMessage(view, message, now());
      if (message.type === "connection" && view.connected !== before.connected) {
        print([{ text: view.connected ? "connected again" : "no connection to NATS, trying again" }]);
      }
      if (message.type === "progress" && view.progress?.note !== before.progress?.note) {
        const note = view.progress?.note;
        if (note !== undefined) print([{ text: style.clean(note) }]);
      }
      if (message.type === "progress" && options.derivations === true) {
        print(startedLines(before, view, style));
      }
      if (message.type !== "event" || view.state === before.state) return;
      if (message.event.type === "accepted") hostWidth = widthOfHosts(view, style);
      print(eventLines(view.state, message.event, style), new Date(message.event.at));
    },
    say(text) {
      print([{ text: style.clean(text) }]);
    },
    heard() {
      heartbeat?.heard();
    },
    stop() {
      heartbeat?.stop();
    },
  };
}

function widthOfHosts({ state }: BuildView, style: Style): number {
  const label = hostLabelOf(state, style.clean);
  const widths = [...state.hosts.values(), ...state.skipped].map((host) => displayWidth(label(host)));
  return Math.min(
    widestHost,
    widths.reduce((most, width) => Math.max(most, width), 1),
  );
}

function startedLines(before: BuildView, { state, progress }: BuildView, style: Style): EventLine[] {
  const label = hostLabelOf(state, style.clean);
  return startedDerivations(before.progress?.running ?? [], progress?.running ?? []).map(
    ({ host, name, usualMs, machine }) => ({
      host: host && label(host),
      text: `building ${style.clean(`${name}${onMachine(machine)}`)}${usualMs === undefined ? "" : ` (usually ${formatDuration(usualMs)})`}`,
    }),
  );
}

/** `still building 5 of 6 hosts after 2m30s: web01 2/4 (linux-6.18.4), nas`. */
function signOfLife(view: BuildView, style: Style, now: number): string {
  const after = `after ${formatDuration(now - view.since)}`;
  const { state } = view;
  if (state.status === "queued") {
    // A note comes from a builder that has begun to take it.
    const note = view.progress?.note;
    return note === undefined
      ? `still waiting for a builder ${after}`
      : `${style.clean(note)}: still at it ${after}`;
  }
  const open = openHosts(state);
  const building = open.filter(isBuilding);
  const { evaluations } = view.progress ?? {};
  if (building.length === 0 && evaluations !== undefined && evaluations.done < evaluations.total) {
    return `still evaluating ${after}: ${evaluations.done} of ${evaluations.total} hosts done`;
  }
  const label = hostLabelOf(state, style.clean);
  const details = building.slice(0, mostInHeartbeat).map((host) => {
    const progress = view.hostProgress.get(fullName(host));
    const derivation = view.progress?.running.find(
      (running) => running.host !== undefined && fullName(running.host) === fullName(host),
    );
    return [
      label(host),
      ...(progress === undefined ? [] : [`${progress.built}/${progress.toBuild}`]),
      ...(waitsForSlot(view, host)
        ? ["(waiting for a slot)"]
        : derivation === undefined
          ? []
          : [`(${style.clean(`${derivation.name}${onMachine(derivation.machine)}`)})`]),
    ].join(" ");
  });
  const more = building.length > mostInHeartbeat ? [style.glyphs.ellipsis] : [];
  const which = details.length === 0 ? "" : `: ${[...details, ...more].join(", ")}`;
  const left = leftText(view, now);
  const until = left === undefined ? "" : `, ${left}`;
  return `still building ${open.length} of ${state.hosts.size} hosts ${after}${until}${which}`;
}
