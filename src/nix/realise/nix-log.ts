// Nix's `--log-format internal-json`: one JSON object a line behind `@nix `, and anything between them. The numbers
// of activities and results are those of Nix's logging.hh, the same in 2.8 to 2.34.
import * as v from "valibot";
import { lineContinuation } from "../../base/lines.ts";
import { plainText } from "../../base/terminal-text.ts";
import { StorePath } from "../../protocol/names.ts";
import { parseJson, stringPrefix } from "../words/json-string.ts";
import { messageText } from "../words/message-text.ts";

/**
 * What a line says. Nix numbers what it does, and the ids are text: they are 64 bits wide, and JSON.parse rounds
 * those above 2^53.
 */
export type NixLogEvent =
  | {
      readonly type: "build-started";
      readonly id: string;
      readonly drvPath: StorePath;
      readonly machine?: string;
    }
  | { readonly type: "hook-started"; readonly id: string; readonly drvPath: StorePath }
  /** Under this id Nix counts all that it builds, or fetches. */
  | { readonly type: "total-started"; readonly id: string; readonly of: "builds" | "fetches" }
  /** A build waits, for the lock of another process or for a machine, in Nix's words. */
  | { readonly type: "waiting-started"; readonly id: string; readonly text: string }
  | { readonly type: "other-started" }
  | { readonly type: "stopped"; readonly id: string }
  /** `done,expected,running,failed` of a total, not read yet as most are not needed: see `parseCounts`. */
  | { readonly type: "progress"; readonly id: string; readonly text: string }
  | { readonly type: "phase"; readonly id: string; readonly text: string }
  /** A line of a build's log, or of the hook after it; at most 16 KiB. */
  | { readonly type: "log-line" | "hook-line"; readonly id: string; readonly text: string }
  /** `own` marks what only Nix's own errors have. Without it, Nix or a builder said it. */
  | { readonly type: "message"; readonly level: number; readonly text: string; readonly own: boolean }
  /** What others print to the same stderr: git's progress, ssh. Nix captures the output of builders. */
  | { readonly type: "foreign"; readonly level: number; readonly text: string };

/**
 * How a `LineSplitter` must cut what goes to a `NixLogReader`. A line of a build's log can have any length, and Nix
 * gives it as one line; of one that is cut we keep the start, and its end says whose it is.
 */
export const maxNixLogLineLength = 256 * 1024;

const maxLogLineLength = 16 * 1024;
const cutMark = " … [line cut at 16 KiB]";
const tailLength = 128;

export interface NixLogReader {
  /** The next line of Nix's stderr, as a `LineSplitter` with `maxNixLogLineLength` gives it. Never throws. */
  line(text: string): void;
}

/** Reads Nix's log line by line. What it does not know it ignores: a newer Nix has more. */
export function createNixLogReader(onEvent: (event: NixLogEvent) => void): NixLogReader {
  let cut: { readonly head: string; tail: string } | undefined;

  function give(event: NixLogEvent | undefined): void {
    if (event !== undefined) onEvent(event);
  }

  return {
    line(text) {
      if (text.length === maxNixLogLineLength + lineContinuation.length && text.endsWith(lineContinuation)) {
        const piece = text.slice(0, -lineContinuation.length);
        cut ??= { head: piece.slice(0, 2 * maxLogLineLength), tail: "" };
        cut.tail = (cut.tail + piece).slice(-tailLength);
      } else if (cut !== undefined) {
        const { head, tail } = cut;
        cut = undefined;
        give(parseCut(head, (tail + text).slice(-tailLength)));
      } else {
        give(parseLine(text));
      }
    },
  };
}

/** The commonest lines by far are read without JSON.parse of the whole. Nix writes the keys in alphabetical order. */
function parseLine(text: string): NixLogEvent | undefined {
  if (text.startsWith(resultStart)) {
    // What is expected of each kind; progress says it again for all that we show.
    if (text.endsWith(expectedEnd)) return undefined;
    const event = parseResult(text);
    if (event !== undefined) return event;
  }
  if (text.startsWith(stopStart) && text.endsWith("}"))
    return { type: "stopped", id: text.slice(stopStart.length, -1) };
  if (!text.startsWith("@nix ")) return parseForeign(text);
  return parseShortMessage(text) ?? parseOther(text);
}

const resultStart = '@nix {"action":"result","fields":[';
const stopStart = '@nix {"action":"stop","id":';
const idKey = '],"id":';
const logLineEnd = ',"type":101}';
const phaseEnd = ',"type":104}';
const progressEnd = ',"type":105}';
const expectedEnd = ',"type":106}';

function parseResult(text: string): NixLogEvent | undefined {
  const typeAt = text.length - expectedEnd.length;
  const fieldsEnd = text.lastIndexOf(idKey, typeAt);
  if (fieldsEnd < 0) return undefined;
  const id = text.slice(fieldsEnd + idKey.length, typeAt);
  if (text.endsWith(progressEnd)) {
    return { type: "progress", id, text: text.slice(resultStart.length, fieldsEnd) };
  }
  const isLogLine = text.endsWith(logLineEnd);
  if (!isLogLine && !text.endsWith(phaseEnd)) return undefined;
  const field = stringField(text, resultStart.length, fieldsEnd);
  if (field === undefined) return undefined;
  return isLogLine
    ? { type: "log-line", id, text: boundedLine(field) }
    : { type: "phase", id, text: phaseOf(field) };
}

const shortMessageStart = '@nix {"action":"msg","level":';
const shortMessageText = ',"msg":';

/** The list of what will be built is one such line for each derivation. */
function parseShortMessage(text: string): NixLogEvent | undefined {
  const textAt = shortMessageStart.length + shortMessageText.length + 1;
  if (
    !text.startsWith(shortMessageStart) ||
    !text.startsWith(shortMessageText, textAt - shortMessageText.length)
  )
    return undefined;
  const field = text.endsWith("}") ? stringField(text, textAt, text.length - 1) : undefined;
  return field === undefined ? undefined : message(Number(text[shortMessageStart.length]), field, false);
}

const startStart = '@nix {"action":"start",';
const uninterestingStart = /,"type":(?!10[345]\}|11[01]\})\d+\}$/;
/** Quotes within strings are escaped: no match there. */
const idPattern = /"id":(?<id>\d+)/;

const Fields = v.optional(v.array(v.unknown()), []);
const Line = v.variant("action", [
  v.object({
    action: v.literal("start"),
    type: v.number(),
    text: v.optional(v.string(), ""),
    fields: Fields,
  }),
  v.object({ action: v.literal("stop") }),
  v.object({ action: v.literal("result"), type: v.number(), fields: Fields }),
  v.object({
    action: v.literal("msg"),
    level: v.number(),
    msg: v.string(),
    raw_msg: v.optional(v.string()),
  }),
]);

function parseOther(text: string): NixLogEvent | undefined {
  if (text.startsWith(startStart) && uninterestingStart.test(text)) return { type: "other-started" };
  const parsed = v.safeParse(Line, parseJson(text.slice("@nix ".length)));
  if (!parsed.success) return undefined;
  const id = idPattern.exec(text)?.groups?.["id"] ?? "";
  const said = parsed.output;
  switch (said.action) {
    case "start":
      return started(id, said);
    case "stop":
      return { type: "stopped", id };
    case "result":
      return result(id, said.type, said.fields);
    case "msg":
      return message(said.level, said.msg, said.raw_msg !== undefined);
  }
}

const activityType = {
  copyPaths: 103,
  builds: 104,
  build: 105,
  postBuildHook: 110,
  buildWaiting: 111,
} as const;
const resultType = { buildLogLine: 101, setPhase: 104, progress: 105, postBuildLogLine: 107 } as const;

interface Started {
  readonly type: number;
  readonly text: string;
  readonly fields: readonly unknown[];
}

function started(id: string, { type, text, fields }: Started): NixLogEvent {
  const [drvPath, machine] = fields;
  if (type === activityType.buildWaiting) return { type: "waiting-started", id, text: messageText(text) };
  if (type === activityType.builds) return { type: "total-started", id, of: "builds" };
  if (type === activityType.copyPaths) return { type: "total-started", id, of: "fetches" };
  if (!isStorePath(drvPath)) return { type: "other-started" };
  if (type === activityType.postBuildHook) return { type: "hook-started", id, drvPath };
  if (type !== activityType.build) return { type: "other-started" };
  const remote = typeof machine === "string" && machine !== "" ? { machine: plainText(machine) } : {};
  return { type: "build-started", id, drvPath, ...remote };
}

const isStorePath = (value: unknown): value is StorePath => v.is(StorePath, value);

function result(id: string, type: number, fields: readonly unknown[]): NixLogEvent | undefined {
  if (type === resultType.progress) {
    return { type: "progress", id, text: JSON.stringify(fields).slice(1, -1) };
  }
  const [text] = fields;
  if (typeof text !== "string") return undefined;
  if (type === resultType.buildLogLine) return { type: "log-line", id, text: boundedLine(text) };
  if (type === resultType.postBuildLogLine) {
    return { type: "hook-line", id, text: boundedLine(`post-build-hook: ${text}`) };
  }
  return type === resultType.setPhase ? { type: "phase", id, text: phaseOf(text) } : undefined;
}

function message(level: number, raw: string, own: boolean): NixLogEvent {
  return { type: "message", level, text: messageText(raw), own };
}

function parseForeign(raw: string): NixLogEvent | undefined {
  const text = messageText(raw);
  if (text.trim() === "") return undefined;
  return { type: "foreign", level: /^\s*(?:error|fatal)\b/i.test(text) ? 0 : 3, text };
}

const resultEnd = /"\],"id":(?<id>\d+),"type":101\}$/;
const messageStart =
  /^@nix \{"action":"msg",(?<own>"column":[^"]*,"file":(?:null|"[^"]*"),)?"level":(?<level>\d+),(?:"line":[^"]*,)?"msg":"/;

/** A line that was too long: its first 32 KiB and its last characters. */
function parseCut(head: string, tail: string): NixLogEvent | undefined {
  if (!head.startsWith("@nix ")) return parseForeign(head);
  if (head.startsWith(`${resultStart}"`)) {
    const id = resultEnd.exec(tail)?.groups?.["id"];
    if (id === undefined) return undefined;
    return { type: "log-line", id, text: boundedLine(stringPrefix(head.slice(resultStart.length + 1))) };
  }
  const start = messageStart.exec(head);
  if (start === null) return undefined;
  // `column` belongs to what Nix adds to its own errors, as `raw_msg` does, which is cut away.
  const own = start.groups?.["own"] !== undefined;
  return message(Number(start.groups?.["level"]), stringPrefix(head.slice(start[0].length)), own);
}

/** The one string between these positions of a line, or undefined when it is something else. */
function stringField(text: string, start: number, end: number): string | undefined {
  if (text[start] !== '"' || text[end - 1] !== '"' || end - start < 2) return undefined;
  const literal = text.slice(start + 1, end - 1);
  if (!literal.includes("\\")) return literal.includes('"') ? undefined : literal;
  const parsed = parseJson(text.slice(start, end));
  return typeof parsed === "string" ? parsed : undefined;
}

function boundedLine(text: string): string {
  const line = text.endsWith("\n") ? text.slice(0, -1) : text;
  return line.length > maxLogLineLength ? line.slice(0, maxLogLineLength).toWellFormed() + cutMark : line;
}

const ordinaryPhase = /^\w{1,100}$/;

/** The builder chooses it, so it can be anything. */
const phaseOf = (text: string): string =>
  ordinaryPhase.test(text) ? text : plainText(text.replaceAll("\n", " ")).trim().slice(0, 100);

/** What a progress says: how much is done, expected, running and failed. */
export type Counts = readonly [done: number, expected: number, running: number, failed: number];

/** The counts in the text of a `progress` event; undefined for any other text. */
export function parseCounts(text: string): Counts | undefined {
  const counts = text.split(",").map(Number);
  return isCounts(counts) ? counts : undefined;
}

const isCounts = (counts: readonly number[]): counts is Counts =>
  counts.length === 4 && counts.every(Number.isSafeInteger);
