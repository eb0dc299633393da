// The rows of hosts in the live view. What needs attention comes first: failed hosts, the first of them on top, then
// what is built, the longest running on top, then what waits, then what is done.
import { firstLine } from "../../../base/lines.ts";
import type { HostState } from "../../../protocol/build-state.ts";
import { fullName, type FullHostName } from "../../../protocol/names.ts";
import type { RunningDerivation } from "../../../protocol/progress.ts";
import { isSuccess, outcomeOf } from "../../../protocol/verdicts.ts";
import { isBuilding, waitsForSlot, type BuildView } from "./build-view.ts";
import { formatDuration } from "../../../words/duration.ts";
import { estimateForms, estimateText, type EstimateForm } from "./estimate.ts";
import { hostLabelOf, type HostLabel } from "../../../words/host-names.ts";
import { onMachine } from "../../../words/machine-words.ts";
import { verdictSign } from "../summary/verdict-text.ts";
import { verdictWords } from "../../../words/verdict-words.ts";
import type { Style } from "../style.ts";
import { cut, displayWidth, padEnd, padStart } from "../text-width.ts";

export interface LiveHostsPrint {
  readonly style: Style;
  readonly width: number;
  /** How many rows there are at most. */
  readonly height: number;
  /** The time of the monotonic clock, in milliseconds. */
  readonly now: number;
  /** Its row is marked. */
  readonly selected?: FullHostName;
}

/** Beyond this the time is too far from the name for the eye. */
const widestRow = 110;
const barLength = 10;
const countLength = 7;
const timeLength = 7;
/** Estimates are left out rather than that a derivation's name is cut to less than its beginning. */
const leastText = barLength + 1 + countLength + 1 + 14;

/**
 * Every host where all of them fit. Where they do not, only those that failed or are built, as far as they fit, and
 * how many there are besides: rows of hosts that wait would push away what happens.
 */
export function liveHostRows(view: BuildView, print: LiveHostsPrint): string[] {
  const { style, height } = print;
  const total = view.state.hosts.size;
  if (total === 0 || height < 1) return [];
  const running = firstRunning(view.progress?.running ?? []);
  const { ordered, active } = orderHosts(view, running);
  const shown = ordered.slice(0, total <= height ? total : Math.min(active, height - 1));
  const marked = ordered.find(({ name }) => name === print.selected);
  if (marked !== undefined && !shown.includes(marked) && height > 1) {
    shown.splice(Math.min(shown.length, height - 2), 1, marked);
  }
  const row = rowWriter(view, running, print);
  const isShown = new Set(shown);
  const hidden = ordered.filter((host) => !isShown.has(host));
  return [...shown.map(row), ...(hidden.length === 0 ? [] : [moreRow(hidden, style)])];
}

/** From the top of the view. */
export const hostsInOrder = (view: BuildView): readonly FullHostName[] =>
  orderHosts(view, firstRunning(view.progress?.running ?? [])).ordered.map(({ name }) => name);

function orderHosts(
  view: BuildView,
  running: RunningByHost,
): { readonly ordered: LiveHost[]; readonly active: number } {
  const groups = groupHosts(view);
  const failed = groups.failed.toSorted(longestFirst);
  const building = groups.building
    .toSorted(longestFirst)
    .toSorted((a, b) => Number(running.has(b.name)) - Number(running.has(a.name)));
  const done = groups.done.toSorted(longestFirst).toReversed();
  return {
    ordered: [...failed, ...building, ...groups.waiting, ...done],
    active: failed.length + building.length,
  };
}

interface LiveHost {
  readonly name: FullHostName;
  readonly host: HostState;
  /** When it entered its phase. */
  readonly since: number;
}

type Group = "failed" | "building" | "waiting" | "done";

function groupHosts({ state, phaseSince, since }: BuildView): Record<Group, LiveHost[]> {
  const groups: Record<Group, LiveHost[]> = { failed: [], building: [], waiting: [], done: [] };
  for (const [name, host] of state.hosts) {
    groups[groupOf(host)].push({ name, host, since: phaseSince.get(name) ?? since });
  }
  return groups;
}

function groupOf(host: HostState): Group {
  if (host.finished !== undefined) return isSuccess(host.finished.verdict) ? "done" : "failed";
  return isBuilding(host) ? "building" : "waiting";
}

const longestFirst = (a: LiveHost, b: LiveHost): number => a.since - b.since;

function moreRow(hidden: readonly LiveHost[], style: Style): string {
  const { glyphs } = style;
  const count: Record<Group, number> = { failed: 0, building: 0, waiting: 0, done: 0 };
  for (const { host } of hidden) count[groupOf(host)]++;
  const parts = [
    { sign: glyphs.failure, of: count.failed },
    { sign: glyphs.running, of: count.building },
    { sign: glyphs.waiting, of: count.waiting },
    { sign: glyphs.success, of: count.done },
  ];
  const counts = parts.filter((part) => part.of > 0).map(({ sign, of }) => `${sign} ${of}`);
  return style.dim(`${glyphs.ellipsis} ${hidden.length} more   ${counts.join("  ")}`);
}

function rowWriter(
  view: BuildView,
  running: RunningByHost,
  { style, width, now, selected }: LiveHostsPrint,
): (shown: LiveHost) => string {
  const label = hostLabelOf(view.state, style.clean);
  const rowWidth = Math.min(width, widestRow);
  const longest = longestLabel(view.state, label);
  const nameWidth = Math.min(longest, Math.max(12, Math.floor(rowWidth / 4)));
  const sinceProgress = now - view.progressAt;
  const estimate = estimateColumn(running, sinceProgress, rowWidth - 2 - nameWidth - 2 - timeLength, style);
  const textWidth = Math.max(0, rowWidth - 2 - nameWidth - 2 - timeLength - estimate.width);
  const evaluating = new Set(view.progress?.evaluations?.running.map(fullName));

  return (shown) => {
    const called = padEnd(cut(label(shown.host), nameWidth, style.glyphs.ellipsis), nameWidth);
    const { sign, text, time, left = "" } = describe(shown);
    const said = padEnd(cut(text, textWidth, style.glyphs.ellipsis), textWidth);
    const isSelected = shown.name === selected;
    const mark = isSelected ? style.bold(style.glyphs.selected) : " ";
    return `${sign}${mark}${isSelected ? style.bold(called) : called}  ${said}${padStart(time, timeLength)} ${style.dim(left)}`.trimEnd();
  };

  function describe({ name, host }: LiveHost): { sign: string; text: string; time: string; left?: string } {
    const { finished } = host;
    if (finished !== undefined) {
      const because = finished.reason === undefined ? "" : `: ${style.clean(firstLine(finished.reason))}`;
      const word = verdictWords[outcomeOf(finished)];
      const said = isSuccess(finished.verdict) ? word : `${style.red(word)}${because}`;
      return {
        sign: verdictSign(outcomeOf(finished), style),
        text: said,
        time: style.dim(formatDuration(finished.durationMs)),
      };
    }
    if (!isBuilding(host)) {
      const said = evaluating.has(name) ? "evaluating" : waitingWords[host.phase];
      return { sign: style.dim(style.glyphs.waiting), text: style.dim(said ?? "waiting"), time: "" };
    }
    if (waitsForSlot(view, host)) {
      return {
        sign: style.dim(style.glyphs.waiting),
        text: buildingText(view, host, undefined, style),
        time: "",
      };
    }
    const derivation = running.get(name);
    const elapsedMs = (derivation?.elapsedMs ?? 0) + sinceProgress;
    return {
      sign: style.cyan(style.glyphs.running),
      text: buildingText(view, host, derivation, style),
      time: derivation === undefined ? "" : formatDuration(elapsedMs),
      left: derivation === undefined ? "" : estimateText(derivation, elapsedMs, estimate.form, style),
    };
  }
}

/** By the sources of a build, of which every state of it has the same: the names of its hosts do not change. */
const longestLabels = new WeakMap<object, { readonly hosts: number; readonly width: number }>();

function longestLabel({ sources, hosts }: BuildView["state"], label: HostLabel): number {
  const known = longestLabels.get(sources);
  if (known?.hosts === hosts.size) return known.width;
  let width = 0;
  for (const host of hosts.values()) width = Math.max(width, displayWidth(label(host)));
  longestLabels.set(sources, { hosts: hosts.size, width });
  return width;
}

/** The longest form of the estimates that leaves room for the text, and the width of its column. */
function estimateColumn(
  running: RunningByHost,
  sinceProgress: number,
  room: number,
  style: Style,
): { readonly form: EstimateForm; readonly width: number } {
  const widthOf = (form: EstimateForm): number =>
    [...running.values()].reduce((most, derivation) => {
      const text = estimateText(derivation, derivation.elapsedMs + sinceProgress, form, style);
      return Math.max(most, text === "" ? 0 : displayWidth(text) + 1);
    }, 0);
  const form = estimateForms.find((candidate) => room - widthOf(candidate) >= leastText) ?? "none";
  return { form, width: widthOf(form) };
}

const waitingWords: Readonly<Partial<Record<HostState["phase"], string>>> = {
  waiting: "waiting to be evaluated",
  evaluated: "waiting to be built",
};

function buildingText(
  view: BuildView,
  host: HostState,
  derivation: RunningDerivation | undefined,
  style: Style,
): string {
  if (host.phase === "retrying") return style.yellow("trying again after an infrastructure fault");
  const progress = view.hostProgress.get(fullName(host));
  const phase = derivation?.phase === undefined ? "" : style.dim(` ${style.clean(derivation.phase)}`);
  const what = waitsForSlot(view, host)
    ? style.dim("waiting for a slot")
    : derivation === undefined
      ? ""
      : `${style.clean(derivation.name)}${style.dim(style.clean(onMachine(derivation.machine)))}${phase}`;
  if (progress === undefined || progress.toBuild === 0) return what === "" ? "building" : what;
  const { built, toBuild } = progress;
  return `${bar(built / toBuild, style)} ${padEnd(`${built}/${toBuild}`, countLength)} ${what}`;
}

function bar(share: number, { glyphs, dim, cyan }: Style): string {
  const full = Math.floor(Math.min(1, Math.max(0, share)) * barLength);
  return cyan(glyphs.barFull.repeat(full)) + dim(glyphs.barEmpty.repeat(barLength - full));
}

type RunningByHost = ReadonlyMap<FullHostName, RunningDerivation>;

/** The longest running derivation of each host: they come in this order. */
function firstRunning(derivations: readonly RunningDerivation[]): RunningByHost {
  const first = new Map<FullHostName, RunningDerivation>();
  for (const derivation of derivations) {
    if (derivation.host === undefined) continue;
    const name = fullName(derivation.host);
    if (!first.has(name)) first.set(name, derivation);
  }
  return first;
}
