// Nix's `--log-format internal-json`: one JSON object a line behind `@nix `, and anything between them. The numbers
// of activities and results are those of Nix's logging.hh, the same in 2.8 to 2.34.
import * as v from "valibot";
import { lineContinuation } from "../../base/lines.ts";
import { plainText } from "../../base/terminal-text.ts";
import { StorePath } from "../../protocol/names.ts";
import { parseJson, stringPrefix } from "../words/json-string.ts";
import { messageText } from "../words/message-text.ts";
import type { NixActivity } from "../realiser.ts";

/**
 * How a `LineSplitter` must cut what goes to an `ActivityLog`. A line of a build's log can have any length, and Nix
 * gives it as one line; of one that is cut we keep the start, and its end says whose it is.
 */
export const maxActivityLineLength = 256 * 1024;

const maxLogLineLength = 16 * 1024;
const cutMark = " … [line cut at 16 KiB]";

const activityType = { copyPaths: 103, builds: 104, build: 105, postBuildHook: 110 } as const;
const resultType = { buildLogLine: 101, setPhase: 104, progress: 105, postBuildLogLine: 107 } as const;

/** Nix writes 64-bit ids, and JSON.parse rounds those above 2^53. Quotes within strings are escaped: no match there. */
const idPattern = /"id":(?<id>\d+)/;

const Fields = v.optional(v.array(v.unknown()), []);
const Line = v.variant("action", [
  v.object({ action: v.literal("start"), type: v.number(), fields: Fields }),
  v.object({ action: v.literal("stop") }),
  v.object({ action: v.literal("result"), type: v.number(), fields: Fields }),
  v.object({
    action: v.literal("msg"),
    level: v.number(),
    msg: v.string(),
    raw_msg: v.optional(v.string()),
  }),
]);
type Line = v.InferOutput<typeof Line>;
type Counts = readonly [done: number, expected: number, running: number, failed: number];

export interface ActivityLog {
  /** The next line of Nix's stderr, as a `LineSplitter` with `maxActivityLineLength` gives it. Never throws. */
  line(text: string): void;
}

/**
 * Understands Nix's log as it comes. What it does not know it ignores: a newer Nix has more.
 *
 * A builder can print `@nix` lines as well, and Nix passes on its messages and phases. A message is authentic when
 * it has `raw_msg`, which Nix adds to its own errors only. The Nix daemon passes errors on without it: there a
 * message is authentic when nothing is building that could have said it; when it comes right behind an increase of
 * the count of failed builds; or when it explains a build that ended right behind such an increase. (Since 2.29 Nix
 * reports a failure only when it comes to it, and what other builds print may stand before that.)
 */
export function createActivityLog(onActivity: (activity: NixActivity) => void): ActivityLog {
  const builds = new Map<string, StorePath>();
  const hooks = new Map<string, StorePath>();
  const buildTotals = new Set<string>();
  const copyTotals = new Set<string>();
  /** A build on another machine is two activities for one derivation: ours around the other machine's. */
  const building = new Map<StorePath, number>();
  /** The fields of the last progress of each total, as text. */
  const repeated = new Map<string, string>();
  let counts: Counts = [0, 0, 0, 0];
  let fetches: Counts = [0, 0, 0, 0];
  let startedSinceCounts = false;
  let failureReported = false;
  /** The build that failed is the next one to end. */
  let failureCounted = false;
  /** Builds that failed, of which Nix has not said why yet. */
  const unexplained = new Set<string>();
  let cut: { readonly head: string; tail: string } | undefined;

  function line(text: string): void {
    if (text.length === maxActivityLineLength + lineContinuation.length && text.endsWith(lineContinuation)) {
      const piece = text.slice(0, -lineContinuation.length);
      cut ??= { head: piece.slice(0, 2 * maxLogLineLength), tail: "" };
      cut.tail = (cut.tail + piece).slice(-tailLength);
    } else if (cut !== undefined) {
      const whole = { head: cut.head, tail: (cut.tail + text).slice(-tailLength) };
      cut = undefined;
      takeCut(whole.head, whole.tail);
    } else if (!takeResult(text) && !takeStop(text) && !takeShortMessage(text)) {
      takeOther(text);
    }
  }

  /** The commonest lines by far, without JSON.parse of the whole. Nix writes the keys in alphabetical order. */
  function takeResult(text: string): boolean {
    if (!text.startsWith(resultStart)) return false;
    // What is expected of each kind; progress says it again for all that we show.
    if (text.endsWith(expectedEnd)) return true;
    const typeAt = text.length - expectedEnd.length;
    const fieldsEnd = text.lastIndexOf(idKey, typeAt);
    if (fieldsEnd < 0) return false;
    const id = text.slice(fieldsEnd + idKey.length, typeAt);
    if (text.endsWith(progressEnd)) {
      if (!buildTotals.has(id) && !copyTotals.has(id)) return true;
      const fields = text.slice(resultStart.length, fieldsEnd);
      // Nix repeats itself: after each step it gives all counts again.
      if (repeated.get(id) !== fields) {
        repeated.set(id, fields);
        takeProgress(id, fields.split(",").map(Number));
      } else if (buildTotals.has(id)) {
        startedSinceCounts = false;
      }
      return true;
    }
    const isLogLine = text.endsWith(logLineEnd);
    if (!isLogLine && !text.endsWith(phaseEnd)) return false;
    const field = stringField(text, resultStart.length, fieldsEnd);
    if (field === undefined) return false;
    if (isLogLine) takeLogLine(builds.get(id), field);
    else takePhase(builds.get(id), field);
    return true;
  }

  function takeStop(text: string): boolean {
    if (!text.startsWith(stopStart) || !text.endsWith("}")) return false;
    stop(text.slice(stopStart.length, -1));
    return true;
  }

  /** The list of what will be built is one such line for each derivation. */
  function takeShortMessage(text: string): boolean {
    const textAt = shortMessageStart.length + shortMessageText.length + 1;
    if (
      !text.startsWith(shortMessageStart) ||
      !text.startsWith(shortMessageText, textAt - shortMessageText.length)
    )
      return false;
    const field = text.endsWith("}") ? stringField(text, textAt, text.length - 1) : undefined;
    if (field === undefined) return false;
    takeMessage(Number(text[shortMessageStart.length]), field, false);
    return true;
  }

  function takeOther(text: string): void {
    if (!text.startsWith("@nix ")) {
      takePlainText(text);
      return;
    }
    if (text.startsWith(startStart) && uninterestingStart.test(text)) {
      failureReported = false;
      return;
    }
    const parsed = v.safeParse(Line, parseJson(text.slice("@nix ".length)));
    if (parsed.success) take(parsed.output, idPattern.exec(text)?.groups?.["id"] ?? "");
  }

  function take(said: Line, id: string): void {
    switch (said.action) {
      case "start":
        start(id, said.type, said.fields);
        break;
      case "stop":
        stop(id);
        break;
      case "result":
        result(id, said.type, said.fields);
        break;
      case "msg":
        takeMessage(said.level, said.msg, said.raw_msg !== undefined);
        break;
    }
  }

  function start(id: string, type: number, fields: readonly unknown[]): void {
    failureReported = false;
    if (type === activityType.builds) buildTotals.add(id);
    if (type === activityType.copyPaths) copyTotals.add(id);
    const [path, machine] = fields;
    if (!isStorePath(path)) return;
    if (type === activityType.postBuildHook) hooks.set(id, path);
    if (type !== activityType.build) return;
    builds.set(id, path);
    startedSinceCounts = true;
    const activities = building.get(path) ?? 0;
    building.set(path, activities + 1);
    if (activities > 0) return;
    const remote = typeof machine === "string" && machine !== "" ? { machine: plainText(machine) } : {};
    onActivity({ type: "derivation-started", drvPath: path, ...remote });
  }

  function stop(id: string): void {
    const drvPath = builds.get(id);
    if (drvPath === undefined) {
      buildTotals.delete(id);
      copyTotals.delete(id);
      hooks.delete(id);
      repeated.delete(id);
      return;
    }
    builds.delete(id);
    if (failureCounted) unexplained.add(drvPath);
    failureCounted = false;
    const left = (building.get(drvPath) ?? 1) - 1;
    if (left > 0) {
      building.set(drvPath, left);
    } else {
      building.delete(drvPath);
      onActivity({ type: "derivation-stopped", drvPath });
    }
  }

  function result(id: string, type: number, fields: readonly unknown[]): void {
    if (type === resultType.progress) {
      takeProgress(id, fields);
      return;
    }
    const [text] = fields;
    if (typeof text !== "string") return;
    if (type === resultType.buildLogLine) takeLogLine(builds.get(id), text);
    if (type === resultType.postBuildLogLine) takeLogLine(hooks.get(id), `post-build-hook: ${text}`);
    if (type === resultType.setPhase) takePhase(builds.get(id), text);
  }

  function takeProgress(id: string, fields: readonly unknown[]): void {
    if (!isCounts(fields)) return;
    const [done, expected, running, failed] = fields;
    if (buildTotals.has(id)) {
      startedSinceCounts = false;
      if (failed > counts[3]) {
        failureReported = true;
        failureCounted = true;
      }
      if (sameCounts(counts, fields)) return;
      counts = fields;
      onActivity({ type: "build-counts", done, expected, running, failed });
    } else if (copyTotals.has(id) && (done !== fetches[0] || expected !== fetches[1])) {
      fetches = fields;
      onActivity({ type: "fetch-counts", done, expected });
    }
  }

  function takeLogLine(drvPath: StorePath | undefined, text: string): void {
    failureReported = false;
    if (drvPath === undefined) return;
    const whole = text.endsWith("\n") ? text.slice(0, -1) : text;
    onActivity({ type: "log-line", drvPath, line: bounded(whole) });
  }

  function takePhase(drvPath: StorePath | undefined, text: string): void {
    failureReported = false;
    // The builder chooses it, so it can be anything.
    const phase = ordinaryPhase.test(text)
      ? text
      : plainText(text.replaceAll("\n", " ")).trim().slice(0, 100);
    if (drvPath !== undefined && phase !== "") onActivity({ type: "phase", drvPath, phase });
  }

  function takeMessage(level: number, raw: string, hasRawMessage: boolean): void {
    const nobodyBuilds = builds.size === 0 || (counts[2] === 0 && !startedSinceCounts);
    const text = messageText(raw);
    const explained = unexplained.size > 0 && level === 0 && explains(text);
    const authentic = hasRawMessage || nobodyBuilds || failureReported || explained;
    failureReported = false;
    if (text.trim() !== "") onActivity({ type: "message", message: { level, text, authentic } });
  }

  /** Only once for each build: a builder that runs can say it again, and otherwise. */
  function explains(text: string): boolean {
    const drvPath = failedDerivation.exec(text)?.groups?.["drvPath"];
    return drvPath === undefined ? unnamedTimeout.test(text) : unexplained.delete(drvPath);
  }

  /** What others print to the same stderr: git's progress, ssh. Nix captures the output of builders. */
  function takePlainText(raw: string): void {
    const text = messageText(raw);
    if (text.trim() === "") return;
    const level = /^\s*(?:error|fatal)\b/i.test(text) ? 0 : 3;
    onActivity({ type: "message", message: { level, text, authentic: false } });
  }

  /** A line that was too long: its first 32 KiB and its last characters. */
  function takeCut(head: string, tail: string): void {
    const message = messageStart.exec(head);
    if (head.startsWith(`${resultStart}"`)) {
      const end = resultEnd.exec(tail);
      const drvPath = builds.get(end?.groups?.["id"] ?? "");
      if (end !== null) takeLogLine(drvPath, stringPrefix(head.slice(resultStart.length + 1)));
    } else if (message !== null) {
      const level = Number(message.groups?.["level"]);
      // `column` belongs to what Nix adds to its own errors, as `raw_msg` does, which is cut away.
      takeMessage(level, stringPrefix(head.slice(message[0].length)), message.groups?.["own"] !== undefined);
    } else if (!head.startsWith("@nix ")) {
      takePlainText(head);
    }
  }

  return { line };
}

const resultStart = '@nix {"action":"result","fields":[';
const stopStart = '@nix {"action":"stop","id":';
const shortMessageStart = '@nix {"action":"msg","level":';
const shortMessageText = ',"msg":';
const idKey = '],"id":';
const logLineEnd = ',"type":101}';
const phaseEnd = ',"type":104}';
const progressEnd = ',"type":105}';
const expectedEnd = ',"type":106}';
const startStart = '@nix {"action":"start",';
const ordinaryPhase = /^\w{1,100}$/;
const uninterestingStart = /,"type":(?!10[345]\}|110\})\d+\}$/;
const tailLength = 128;
const resultEnd = /"\],"id":(?<id>\d+),"type":101\}$/;
const messageStart =
  /^@nix \{"action":"msg",(?<own>"column":[^"]*,"file":(?:null|"[^"]*"),)?"level":(?<level>\d+),(?:"line":[^"]*,)?"msg":"/;

/** The derivation that an error names. */
const failedDerivation = /^error: .*?(?<drvPath>\/[^'\s]+\.drv)(?![^'\s])/;
/** All that Nix says of a timeout since 2.29. Whether it can be true, the clock tells. */
const unnamedTimeout = /^error: timed out after \d+ seconds$/;

const isStorePath = (value: unknown): value is StorePath => v.is(StorePath, value);

/** The one string between these positions of a line, or undefined when it is something else. */
function stringField(text: string, start: number, end: number): string | undefined {
  if (text[start] !== '"' || text[end - 1] !== '"' || end - start < 2) return undefined;
  const literal = text.slice(start + 1, end - 1);
  if (!literal.includes("\\")) return literal.includes('"') ? undefined : literal;
  const parsed = parseJson(text.slice(start, end));
  return typeof parsed === "string" ? parsed : undefined;
}

const bounded = (line: string): string =>
  line.length > maxLogLineLength ? line.slice(0, maxLogLineLength).toWellFormed() + cutMark : line;

const isCounts = (fields: readonly unknown[]): fields is Counts =>
  fields.length === 4 && fields.every((field) => Number.isSafeInteger(field));

const sameCounts = (one: Counts, other: Counts): boolean =>
  one[0] === other[0] && one[1] === other[1] && one[2] === other[2] && one[3] === other[3];
