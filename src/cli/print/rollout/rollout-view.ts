// A rollout as a frame of lines: its waves, its hosts, and what it waits for. Pure; the live view draws it again, and
// `rollouts show` prints it once.
import { isPlanned, type Rollout, type RolloutHost } from "../../../protocol/rollout/rollout.ts";
import { formatDuration } from "../../../words/duration.ts";
import type { HostStates } from "../../../words/rollout-waits.ts";
import {
  count,
  progressText,
  rolloutHostWords,
  type RolloutHostWords,
  rolloutStateWords,
  soakText,
  type RolloutTone,
} from "../../../words/rollout-words.ts";
import { shortId } from "../../../words/short-id.ts";
import type { Style } from "../style.ts";
import { cut, displayWidth, padEnd, padStart, wrapped } from "../text-width.ts";

export interface RolloutPrint {
  readonly style: Style;
  readonly now: Date;
  readonly states: HostStates;
  readonly width?: number;
  /** Lines that there is room for; undefined where nothing limits it. */
  readonly height?: number;
  /** What can be done about it: the end of the last line. */
  readonly advice?: string;
}

const indent = "   ";
const mostStateLines = 4;

/** At least three lines: what it is, its hosts, and how it is. */
export function rolloutLines(rollout: Rollout, print: RolloutPrint): readonly string[] {
  const { style, now, states, width, height, advice } = print;
  const { glyphs } = style;
  const { tone, text } = rolloutStateWords(rollout, states, now);
  const said = `${style.clean(text)} ${glyphs.separator} ${progressText(rollout)}`;
  // Why it halted is what everybody came for.
  const [first = "", ...more] =
    width === undefined ? [said] : wrapped(said, width - indent.length, mostStateLines);
  const last = `${glyphs.blockBottom} ${painted(tone, first, style)}`;
  // What can be done must not be cut off.
  const isBeside =
    width === undefined ||
    (more.length === 0 && displayWidth(last) + 3 + displayWidth(advice ?? "") <= width);
  const advised = advice === undefined ? [] : [style.dim(advice)];
  const below = more.map((line) => `${indent}${painted(tone, line, style)}`);
  const end = isBeside
    ? [[last, ...advised].join("   ")]
    : [last, ...below, ...advised.map((line) => `${indent}${line}`)];
  const room = height === undefined ? Number.POSITIVE_INFINITY : Math.max(1, height - 1 - end.length);
  const lines = [
    `${glyphs.blockTop} ${style.bold(style.clean(titleOf(rollout, style)))}`,
    ...bodyLines(rollout, print, room).map((line) => `${glyphs.blockSide} ${line}`),
    ...end,
  ];
  return width === undefined ? lines : lines.map((line) => cut(line, width, glyphs.ellipsis));
}

function titleOf({ id, repo, commit, created, hosts, wanted, waves }: Rollout, { glyphs }: Style): string {
  const size = count(hosts.size === 0 ? wanted.length : hosts.size, "host");
  const inWaves = waves.length === 0 ? "" : ` in ${count(waves.length, "wave")}`;
  const parts = [
    `Rollout ${shortId(id, [])}`,
    `${repo}@${commit.slice(0, 7)}`,
    `${size}${inWaves}`,
    `by ${created.by}`,
  ];
  return parts.join(` ${glyphs.separator} `);
}

/** One line of the body, before its columns are aligned. */
interface Row {
  readonly glyph: string;
  readonly wave: string;
  readonly host: string;
  readonly text: string;
  readonly time: string;
  readonly note: string;
}

function bodyLines(rollout: Rollout, print: RolloutPrint, room: number): readonly string[] {
  if (!isPlanned(rollout)) {
    const wanted = rollout.wanted.slice(0, 8).join(", ");
    const more = rollout.wanted.length > 8 ? `, ${print.style.glyphs.ellipsis}` : "";
    return [print.style.dim(print.style.clean(`${wanted}${more}`))];
  }
  const waves = rollout.waves.map((_, at) => [...rollout.hosts.values()].filter(({ wave }) => wave === at));
  const whole =
    rollout.hosts.size <= room ? waves.map((hosts, at) => hostRows(rollout, hosts, at, print)) : undefined;
  const rows = whole?.flat() ?? crampedRows(rollout, waves, print, room);
  return aligned(rows, print);
}

const noRow: Row = { glyph: " ", wave: "", host: "", text: "", time: "", note: "" };

/** Each host of a wave; the first line names the wave and says how its soak is. */
function hostRows(
  rollout: Rollout,
  hosts: readonly RolloutHost[],
  at: number,
  print: RolloutPrint,
): readonly Row[] {
  const wordsOf = rolloutHostWords(rollout, print.states, print.now);
  const wave = rollout.waves[at];
  const soak = wave === undefined ? undefined : soakText(wave);
  return hosts.map((host, index) => {
    const row = hostRow(host, wordsOf(host), print);
    return index > 0
      ? row
      : {
          ...row,
          wave: print.style.clean(wave?.name ?? ""),
          note: [row.note, soak ?? ""].filter((each) => each !== "").join(", "),
        };
  });
}

function hostRow(
  host: RolloutHost,
  { tone, text, ms, note }: RolloutHostWords,
  { style, states }: RolloutPrint,
): Row {
  return {
    glyph: painted(tone, glyphOf(host, states, style), style),
    wave: "",
    host: style.clean(host.host),
    text: painted(tone, style.clean(text), style),
    time: ms === undefined ? "" : formatDuration(ms),
    note: style.clean(note ?? ""),
  };
}

function glyphOf({ host, status, reboot }: RolloutHost, states: HostStates, { glyphs }: Style): string {
  if (reboot === "failed") return glyphs.failure;
  switch (status) {
    case "waiting":
      return glyphs.waiting;
    case "ordered":
      return glyphs.running;
    case "done":
    case "unchanged":
      return (states.get(host)?.reboot?.needed.length ?? 0) > 0 ? glyphs.reboot : glyphs.success;
    case "failed":
    case "undone":
      return glyphs.failure;
    case "absent":
      return glyphs.absent;
    case "held":
    case "refused":
    case "overtaken":
      return glyphs.fault;
  }
}

/** Where there is no room for all: a line for each wave, then the hosts that matter most, then how many are left. */
function crampedRows(
  rollout: Rollout,
  waves: readonly (readonly RolloutHost[])[],
  print: RolloutPrint,
  room: number,
): readonly Row[] {
  const { style } = print;
  const inWaves = waves.length + 1 < room ? waves.map((hosts, at) => waveRow(rollout, hosts, at, print)) : [];
  const left = Math.max(0, room - inWaves.length - 1);
  const byWeight = [...rollout.hosts.values()].toSorted((a, b) => weightOf(a) - weightOf(b));
  const shown = byWeight.slice(0, left);
  const more = byWeight.length - shown.length;
  const rest = { ...noRow, host: style.dim(`${style.glyphs.ellipsis} ${count(more, "more host")}`) };
  const wordsOf = rolloutHostWords(rollout, print.states, print.now);
  return [...inWaves, ...shown.map((host) => hostRow(host, wordsOf(host), print)), rest].slice(0, room);
}

const weights: Readonly<Record<RolloutHost["status"], number>> = {
  failed: 0,
  ordered: 1,
  undone: 2,
  overtaken: 3,
  refused: 4,
  held: 4,
  absent: 5,
  waiting: 6,
  done: 7,
  unchanged: 8,
};
const weightOf = ({ status, reboot }: RolloutHost): number => (reboot === "failed" ? 0 : weights[status]);

function waveRow(rollout: Rollout, hosts: readonly RolloutHost[], at: number, { style }: RolloutPrint): Row {
  const wave = rollout.waves[at];
  const over = hosts.filter(({ status }) => status !== "waiting" && status !== "ordered").length;
  const isOver = over === hosts.length;
  const tone: RolloutTone = isOver ? "good" : wave?.startedAt === undefined ? "idle" : "busy";
  const glyph = isOver ? style.glyphs.success : tone === "busy" ? style.glyphs.running : style.glyphs.waiting;
  return {
    ...noRow,
    glyph: painted(tone, glyph, style),
    wave: style.clean(wave?.name ?? ""),
    host: `${over} of ${count(hosts.length, "host")}`,
    text: (wave === undefined ? undefined : soakText(wave)) ?? "",
  };
}

const gap = "  ";

/** The text takes what it needs; only so much of it counts for where the next column begins. */
const widestText = 44;

/** What happens to a host matters more than the end of its name. */
const hostShare = 1 / 3;

function aligned(
  rows: readonly Row[],
  { style: { dim, glyphs }, width: room }: RolloutPrint,
): readonly string[] {
  const widest = (column: keyof Row, most = Number.POSITIVE_INFINITY): number =>
    Math.max(0, ...rows.map((row) => displayWidth(row[column])).filter((width) => width <= most));
  const mostHost = room === undefined ? Number.POSITIVE_INFINITY : Math.max(12, Math.floor(room * hostShare));
  const [wave, host, text, time] = [
    widest("wave"),
    Math.min(widest("host"), mostHost),
    widest("text", widestText),
    widest("time"),
  ];
  return rows.map((row) => {
    const name = padEnd(cut(row.host, host, glyphs.ellipsis), host);
    const named = [row.glyph, ...(wave === 0 ? [] : [padEnd(row.wave, wave)]), name];
    const line = [
      ...named,
      padEnd(row.text, text),
      ...(time === 0 ? [] : [padStart(dim(row.time), time)]),
      dim(row.note),
    ];
    return `${line[0] ?? ""} ${line.slice(1).join(gap)}`.trimEnd();
  });
}

export function painted(tone: RolloutTone, text: string, style: Style): string {
  switch (tone) {
    case "good":
      return style.green(text);
    case "busy":
      return style.cyan(text);
    case "warn":
      return style.yellow(text);
    case "bad":
      return style.red(text);
    case "idle":
      return style.dim(text);
  }
}
