// What an evaluator says on stderr, and what of it says why it failed.
import * as v from "valibot";
import { jsonOrNothing } from "../../base/json.ts";
import { LineSplitter, lineContinuation } from "../../base/lines.ts";
import { plainText } from "../../base/terminal-text.ts";
import { marks } from "./evaluation-arguments.ts";
import { takeSource, type FlakeTree } from "./source-marker.ts";
import { readFailureMessage, type FailureMessage } from "../realise/failure-message.ts";
import { stringPrefix } from "../words/json-string.ts";
import { createLongErrorReader, type LongErrorReader } from "../words/long-error.ts";

const maxLineLength = 256 * 1024;
const keptPlainLines = 20;
/** How a trace begins as a line. */
const traceLine = '@nix {"action":"msg","level":0,"msg":"trace: ';
/** A module that traces in a loop must not fill the memory. */
const mostKept = 2_000;
const longestKept = 2_000;

/** A line of internal-json; `raw_msg` is the error alone, `msg` has its trace around it. */
const Message = v.object({
  action: v.literal("msg"),
  level: v.picklist([0, 1]),
  msg: v.string(),
  raw_msg: v.optional(v.string()),
  file: v.optional(v.nullable(v.string())),
  line: v.optional(v.nullable(v.number())),
  column: v.optional(v.nullable(v.number())),
});

export interface EvaluationError {
  /** The error alone. */
  readonly text: string;
  /** With its trace and position. */
  readonly whole: string;
  /** Undefined for what has none, such as what is thrown. */
  readonly position?: { readonly file: string; readonly line: number; readonly column: number };
  /** The source of the flake; undefined for an error before any host was evaluated. */
  readonly source?: FlakeTree;
}

/**
 * What is left of an evaluator's stderr: of the host that began last, where one has begun. All text is without colours
 * and controls.
 */
export interface EvaluationLog {
  /** The last error that Nix raised itself. What a program or a build prints looks the same but for `raw_msg`. */
  readonly error: EvaluationError | undefined;
  /** What Nix said last about a build that failed, of something that the host imports from. */
  readonly failedBuild: FailureMessage | undefined;
  /** JSON that Nix could not read, in the words of its library, which Nix passes on without the mark of its own errors. */
  readonly jsonError: string | undefined;
  /** An input that Nix was to override and that the flake does not have. */
  readonly unknownOverride: string | undefined;
  /** Settings of the flake's own `nixConfig`, which Nix leaves out; each once. */
  readonly ignoredSettings: readonly string[];
  /** The last lines that are not in Nix's log format: of git, of Nix's memory, of Nix when its stack is full. */
  readonly plainLines: readonly string[];
  /** Nix caught the error of the host: the host, or what it uses, threw it. */
  readonly threw: boolean;
  /** It ended in the warnings of a host that threw, before it could fail by what the host threw. */
  readonly endedInWarnings: boolean;
  /** The heap reached its limit, or the system gave no more. */
  readonly outOfMemory: boolean;
  /** Its `config.warnings` first, then what was warned of and traced. */
  readonly warnings: readonly string[];
}

/** What an evaluator says between hosts: see `hostsArguments`. */
export interface EvaluatorMarks {
  readonly token: string;
  /** The host at this place of the list begins. Before the first, Nix has said which settings of the flake it ignores. */
  readonly onBegun: (index: number, ignoredSettings: readonly string[]) => void;
  /** The host that began last came to this, and warned of that. */
  readonly onResult: (json: string, warnings: readonly string[]) => void;
}

export interface EvaluationLogReader {
  write(chunk: Uint8Array): void;
  end(): EvaluationLog;
}

/** @param spoken of an evaluator that says where it is */
export function createEvaluationLogReader(spoken?: EvaluatorMarks): EvaluationLogReader {
  let error: EvaluationError | undefined;
  let failedBuild: FailureMessage | undefined;
  let jsonError: string | undefined;
  let plainLines: string[] = [];
  let outOfMemory = false;
  let threw = false;
  let fails = false;
  let unknownOverride: string | undefined;
  const ignoredSettings = new Set<string>();
  let long: LongErrorReader | undefined;
  let traces: string[] = [];
  let warnings: string[] = [];
  let isWarning = false;

  function takeTrace(said: string): void {
    const text = said.replace(/^trace: /, "");
    if (spoken !== undefined && text.startsWith(`${spoken.token} `))
      takeMark(spoken, text.slice(spoken.token.length + 1));
    else if (traces.length + warnings.length < mostKept)
      (isWarning ? warnings : traces).push(beginningOf(text));
  }

  function takeMark({ onBegun, onResult }: EvaluatorMarks, said: string): void {
    if (said === marks.threw) [threw, fails] = [true, false];
    else if (said === marks.fails) fails = true;
    else if (said === marks.warns) isWarning = true;
    else if (said.startsWith(marks.result)) {
      onResult(said.slice(marks.result.length), [...warnings, ...traces]);
    } else if (said.startsWith(marks.begun)) {
      // What is said from here on is about another host.
      [error, failedBuild, plainLines, traces, warnings] = [undefined, undefined, [], [], []];
      [threw, isWarning, outOfMemory] = [false, false, false];
      onBegun(Number(said.slice(marks.begun.length)), [...ignoredSettings]);
    }
  }

  function takePiece(piece: string): void {
    const isLast = piece.length <= maxLineLength;
    if (long === undefined && piece.startsWith(traceLine)) {
      takeTrace(plainText(stringPrefix(piece.slice(traceLine.length, traceLine.length + 2 * longestKept))));
    }
    long ??= createLongErrorReader();
    long.take(isLast ? piece : piece.slice(0, -lineContinuation.length));
    if (!isLast) return;
    const said = long.end();
    long = undefined;
    if (said !== undefined) setError(said.raw, said.msg);
  }

  function setError(raw: string, msg: string, position?: EvaluationError["position"]): void {
    const { trace, source } = takeSource(plainText(msg));
    const text = plainText(raw).trim();
    error = { text, whole: withoutPrefix(trace), position, source };
    if (isOfBuild.test(text)) failedBuild = readFailureMessage(text) ?? failedBuild;
  }

  function takeMessage(json: string): void {
    const parsed = v.safeParse(Message, jsonOrNothing(json));
    if (!parsed.success) return;
    const { level, msg, raw_msg: raw } = parsed.output;
    const text = plainText(msg);
    if (level === 1) {
      unknownOverride ??= unmatchedOverride.exec(text)?.groups?.["input"];
      const ignored = ignoredSetting.exec(text)?.groups?.["name"];
      if (ignored !== undefined && ignoredSettings.size < mostSettings) ignoredSettings.add(ignored);
      // builtins.warn, since 2.23.
      if (raw !== undefined && text.startsWith("evaluation warning: ")) takeTrace(plainText(raw));
    } else if (raw === undefined && text.startsWith("trace: ")) {
      takeTrace(text);
    } else if (raw !== undefined) {
      setError(raw, msg, positionOf(parsed.output));
      // Nix catches std::bad_alloc and says so without `raw_msg`; a host's `throw "out of memory"` has it.
    } else if (/^error: (?:out of memory|std::bad_alloc)$/.test(text.trim())) {
      outOfMemory = true;
    } else {
      jsonError = uncaughtJsonError.exec(text.trim())?.groups?.["words"] ?? jsonError;
    }
  }

  function takeLine(line: string): void {
    if (long !== undefined || line.length > maxLineLength) {
      takePiece(line);
      return;
    }
    if (line.startsWith("@nix ")) {
      if (line.startsWith('@nix {"action":"msg"')) takeMessage(line.slice("@nix ".length));
      return;
    }
    // The words of the Boehm collector when GC_MAXIMUM_HEAP_SIZE is reached, and of libstdc++.
    if (/^GC Warning: Out of Memory! .*Returning NULL|^\s*what\(\): {2}std::bad_alloc/.test(line)) {
      outOfMemory = true;
    }
    const text = plainText(line.slice(0, 2000)).trim();
    if (text !== "") plainLines = [...plainLines, text].slice(-keptPlainLines);
  }

  const splitter = new LineSplitter(maxLineLength, takeLine);
  return {
    write(chunk) {
      splitter.write(chunk);
    },
    end() {
      splitter.end();
      return {
        error,
        failedBuild,
        jsonError,
        unknownOverride,
        ignoredSettings: [...ignoredSettings],
        plainLines,
        threw,
        endedInWarnings: threw && !fails,
        outOfMemory,
        warnings: [...warnings, ...traces],
      };
    },
  };
}

/** The words of Nix 2.8 to 2.28, and since 2.29; the last of a remote builder. A flake has no error that begins so, but `throw`. */
const isOfBuild = /^(?:builder for|Cannot build|build of) '\//;

/** A copy: a part of a string keeps the whole of it alive. */
const beginningOf = (text: string): string => Buffer.from(text.slice(0, longestKept)).toString();

/** Since 2.20 `file` has line and column as well. */
function positionOf({ file, line, column }: v.InferOutput<typeof Message>): EvaluationError["position"] {
  if (typeof file !== "string" || typeof line !== "number" || typeof column !== "number") return undefined;
  return { file: plainText(file).replace(/:\d+:\d+$/, ""), line, column };
}

/** The words of nlohmann::json. Nix before 2.34 does not catch its errors about a flake.lock, and no version all of them. */
const uncaughtJsonError = /^error: (?<words>\[json\.exception\.\w+\.\d+\] .*)/;

/** The words of Nix 2.8 to 2.34. No flake can say them: traces are level 0, and its warnings begin otherwise. */
const unmatchedOverride = /^warning: the flag '--override-input (?<input>\S+) .*' does not match any input$/;

/** The same: those of the flake that is evaluated, and of none of its inputs. */
const ignoredSetting =
  /^warning: ignoring untrusted flake configuration setting '(?<name>[A-Za-z0-9-]{1,80})'/;
const mostSettings = 20;

const withoutPrefix = (text: string): string => text.trim().replace(/^error:\s*\n?/, "");
