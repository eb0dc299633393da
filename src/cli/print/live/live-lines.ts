// The lines of the live view: what is built, the hosts that matter most, and the sum.
import { type HostState, isOver } from "../../../protocol/build-state.ts";
import type { FullHostName } from "../../../protocol/names.ts";
import { isBuilding, leftText, waitsForSlot, type BuildView } from "./build-view.ts";
import { formatDuration } from "../../../words/duration.ts";
import { hostLabelOf, listed } from "../../../words/host-names.ts";
import { hosts } from "../../../words/host-names.ts";
import { countHosts } from "../../../words/verdict-words.ts";
import { liveHostRows } from "./live-hosts.ts";
import type { Style } from "../style.ts";
import { cut, displayWidth } from "../text-width.ts";
import { sourceText } from "../../../words/source-text.ts";

export interface LivePrint {
  readonly style: Style;
  readonly width: number;
  readonly height: number;
  /** The time of the monotonic clock, in milliseconds. */
  readonly now: number;
  readonly keyHint?: string;
  /** Its row is marked. */
  readonly selected?: FullHostName;
}

/** At most `height` lines of at most `width` columns. */
export function liveLines(view: BuildView, print: LivePrint): string[] {
  const { style, width, height } = print;
  const { blockTop, blockSide, blockBottom, ellipsis } = style.glyphs;
  const inner = width - blockTop.length - 1;
  const header = `${style.dim(blockTop)} ${headline(view, print, inner)}`;
  const footer = `${style.dim(blockBottom)} ${totals(view, print, inner)}`;
  if (height < 3) return [cut(footer, width, ellipsis)];
  const overview = overviewRows(view, print).slice(0, height - 2);
  const room = height - 2 - overview.length;
  const rows = [...overview, ...liveHostRows(view, { ...print, width: inner, height: room })];
  return [header, ...rows.map((row) => `${style.dim(blockSide)} ${row}`), footer].map((line) =>
    cut(line, width, ellipsis),
  );
}

function headline({ state }: BuildView, { style }: LivePrint, width: number): string {
  const [source, ...otherSources] = state.sources;
  const separator = ` ${style.dim(style.glyphs.separator)} `;
  const builder = state.builder === undefined ? "" : ` on ${state.builder}`;
  return fitting(
    [
      `${style.bold("Build")} ${state.id}`,
      ...(source === undefined
        ? []
        : [
            otherSources.length > 0
              ? `${state.sources.length} repos${builder}`
              : `${sourceText(source)}${builder}`,
            hosts(state.hosts.size),
          ]),
      ...(state.requestedBy === undefined ? [] : [`requested by ${style.clean(state.requestedBy)}`]),
    ],
    separator,
    width,
  );
}

/** What is going on besides the hosts themselves. */
function overviewRows(view: BuildView, { style, now }: LivePrint): string[] {
  const { state, progress, connected } = view;
  const rows: string[] = [];
  const label = hostLabelOf(state, style.clean);
  if (!connected) {
    rows.push(style.yellow(`${style.glyphs.fault} no connection to NATS, trying again; the build continues`));
  }
  if (state.status === "queued") {
    rows.push(progress?.note === undefined ? style.dim("waiting for a builder") : style.clean(progress.note));
  } else if (progress?.note !== undefined) {
    rows.push(style.clean(progress.note));
  }
  const { evaluations, builds, fetches } = progress ?? {};
  if (evaluations !== undefined && evaluations.done < evaluations.total) {
    const names = evaluations.running.length === 0 ? "" : `: ${listed(evaluations.running.map(label), 8)}`;
    rows.push(`evaluated ${evaluations.done} of ${evaluations.total}${style.dim(names)}`);
  }
  const sums = [
    ...(builds === undefined || builds.total === 0
      ? []
      : [`built ${builds.done} of ${builds.total} derivations`]),
    ...(builds === undefined || builds.failed === 0 ? [] : [style.red(`${builds.failed} failed`)]),
    ...(fetches === undefined || fetches.total === 0 ? [] : [`fetched ${fetches.done} of ${fetches.total}`]),
  ];
  const left = leftText(view, now);
  if (left !== undefined) sums.push(left);
  if (sums.length > 0) rows.push(sums.join(style.dim(", ")));
  return rows;
}

function totals(view: BuildView, { style, now, keyHint }: LivePrint, width: number): string {
  const { glyphs } = style;
  const elapsed = formatDuration(now - view.since);
  const all = [...view.state.hosts.values()];
  const counts = countHosts(all);
  const forSlot = countOf(all, (host) => waitsForSlot(view, host));
  const building = countOf(all, isBuilding) - forSlot;
  const waiting = counts.open - building;
  const other = counts.total - counts.open - counts.success - counts.ownFault;
  const part = (count: number, text: string): string[] => (count === 0 ? [] : [text]);
  return fitting(
    [
      ...part(counts.ownFault, style.red(`${glyphs.failure} ${counts.ownFault} failed`)),
      ...part(building, style.cyan(`${glyphs.running} ${building} building`)),
      ...part(
        waiting,
        style.dim(`${glyphs.waiting} ${waiting} waiting${forSlot === 0 ? "" : ` (${forSlot} for a slot)`}`),
      ),
      ...part(counts.success, style.green(`${glyphs.success} ${counts.success} done`)),
      ...part(other, style.yellow(`${glyphs.fault} ${other} other`)),
      isOver(view.state) ? elapsed : `${elapsed} so far`,
      ...(keyHint === undefined || keyHint === "" ? [] : [style.dim(keyHint)]),
    ],
    "  ",
    width,
  );
}

const countOf = (all: readonly HostState[], fits: (host: HostState) => boolean): number =>
  all.reduce((count, host) => count + (fits(host) ? 1 : 0), 0);

/** As many of the parts, from the first, as fit; a line is rather short than cut in a word. */
function fitting(parts: readonly string[], separator: string, width: number): string {
  let text = parts[0] ?? "";
  for (const part of parts.slice(1)) {
    const longer = `${text}${separator}${part}`;
    if (displayWidth(longer) > width) break;
    text = longer;
  }
  return text;
}
