// An evaluation error as Nix shows it, without its trace: where it is, what it is, and the source around it.
import type { EvaluationError } from "./evaluation-log.ts";
import type { FlakeTree } from "./source-marker.ts";

const mostLines = 20;
const longestLine = 300;

/** At most 20 lines; the first has the position in front, such as `hosts/web.nix:12:5: attribute 'x' missing`. */
export function locatedError(error: EvaluationError): string {
  const place = placeOf(error);
  const [first = "", ...rest] = worded(withoutSource(error.text, error.source)).split("\n");
  const lines = [
    place === undefined ? first : `${place.shown}: ${first}`,
    ...rest,
    ...(place?.excerpt ?? []),
  ];
  const shown = lines.length > mostLines ? [...lines.slice(0, mostLines - 1), "[…]"] : lines;
  return shown.map((line) => bounded(line.trimEnd())).join("\n");
}

/** With the reason in the first line where Nix since 2.29 has it in the second. */
const worded = (text: string): string =>
  text === ""
    ? "an error without a message"
    : text.replace(/^(Cannot build '[^'\n]*')\.\n\s*Reason: (.*?)\.?(?=\n|$)/, "$1: $2");

interface Place {
  readonly shown: string;
  /** Lines such as `  12|   x = y.z;`, and the mark below. */
  readonly excerpt: readonly string[];
}

/** `at /nix/store/…-source/flake.nix:3:5:`, since 2.20 also `at «git+file:///…»/flake.nix:3:5:`. */
const frame = /^\s*at (?<file>\S.*?):(?<line>\d+):(?<column>\d+):$/;
const sourceLine = /^\s*\d*\|/;

/**
 * Where Nix itself says that it is, if that is in the flake's own source. Else the innermost call there: what is thrown
 * has no place, and that of an endless recursion is one of nixpkgs. Else the module there whose definition was evaluated
 * last. Else the place in an input, and for what is thrown there none. Nix 2.8 has the error before its trace, newer ones behind it.
 */
function placeOf({ text, whole, position, source }: EvaluationError): Place | undefined {
  const lines = whole.split("\n");
  const frames = lines.flatMap((line, at): Frame[] => {
    const { file = "", line: row = "", column = "" } = frame.exec(line)?.groups ?? {};
    return row === "" || isOurs(file) ? [] : [{ file, position: `${row}:${column}`, at }];
  });
  const own = frames.filter(({ file }) => isIn(source, file));
  // The trace indents all lines of an error but the first. Of one without a message, only newer versions show anything.
  const isInnermostFirst =
    text === "" ? !whole.endsWith("error:") : whole.startsWith(text.split("\n", 1)[0] ?? text);
  const innermost = own.at(isInnermostFirst ? 0 : -1);
  const named: Frame | undefined =
    position === undefined || isOurs(position.file)
      ? undefined
      : { file: position.file, position: `${position.line}:${position.column}` };
  const found = named !== undefined && isIn(source, named.file) ? named : (innermost ?? named);
  if (found === undefined || !isIn(source, found.file)) {
    const module = moduleOf(isInnermostFirst ? lines : lines.toReversed(), source);
    if (module !== undefined) return module;
  }
  if (found === undefined) return undefined;
  const { at } = frames.find((each) => each.position === found.position) ?? found;
  return { shown: `${inSource(found.file, source)}:${found.position}`, excerpt: excerptBelow(lines, at) };
}

/** The words of nixpkgs, in `lib/modules.nix`. */
const definitions = /^\s*… while evaluating definitions from `(?<file>.+)':$/;
const option = /^\s*… (?<words>while evaluating the option `.+'):$/;

/**
 * The file of the flake whose definition was evaluated last, and for which option. Nix 2.8 knows no more where all that is
 * left of the flake is an argument that was evaluated elsewhere.
 *
 * @param lines of the trace, from the innermost call on
 */
function moduleOf(lines: readonly string[], source: FlakeTree | undefined): Place | undefined {
  const last = lines.findIndex((line) => definitions.test(line));
  const file = definitions.exec(lines[last] ?? "")?.groups?.["file"];
  if (source === undefined || file === undefined || !isIn(source, file)) return undefined;
  const words = lines.slice(last).find((line) => option.test(line));
  return { shown: inSource(file, source), excerpt: words === undefined ? [] : [words.trim().slice(0, -1)] };
}

interface Frame {
  readonly file: string;
  readonly position: string;
  /** The line of the trace. */
  readonly at?: number;
}

function excerptBelow(lines: readonly string[], at: number | undefined): readonly string[] {
  if (at === undefined) return [];
  const below = lines.slice(at + 1);
  const from = below[0]?.trim() === "" ? 1 : 0;
  const end = below.findIndex((line, index) => index >= from && !sourceLine.test(line));
  return below.slice(from, end < 0 ? undefined : end).map((line) => line.replace(/^ {1,6}/, ""));
}

/** Whether a file is of the flake itself; without knowing its source, any may be. */
const isIn = (source: FlakeTree | undefined, file: string): boolean =>
  source === undefined ||
  file.startsWith(`${source.path}/`) ||
  (file.startsWith("«") && file.slice(0, file.indexOf("»")).includes(source.commit));

/**
 * The expression that we evaluate: «string», `(string)`, or, as the file of an error of 2.8, its whole text; and what Nix
 * has built in: «flakes-internal». Nobody has it before their eyes. Files have absolute paths, or since 2.20 a flake
 * reference in front.
 */
const isOurs = (file: string): boolean => !/^(?:\/|«[^»]*:)/.test(file);

/** A file of the flake as it is called there; one of an input as Nix shows it, without the hash of its reference. */
const inSource = (file: string, source: FlakeTree | undefined): string =>
  isIn(source, file)
    ? file.replace(/^\/.*\/[0-9a-z]{32}-source\//, "").replace(/^«[^»]*»\//, "")
    : file.replace(/^«([^?»]*)[^»]*»/, "«$1»");

/** Messages name files too: `In '/nix/store/…-source/flake.nix'`. */
const withoutSource = (text: string, source: FlakeTree | undefined): string =>
  source === undefined
    ? text.replaceAll(ownReference, "")
    : text
        .replaceAll(`${source.path}/`, "")
        .replaceAll(/«[^«»\n]*»\//g, (reference) => (reference.includes(source.commit) ? "" : reference));

/** A file of one of our mirrors: see `flakeReference`. Of an input it has another reference. */
const ownReference = /«[^«»\n]*[?&]ref=refs\/homelab-deploy\/[^«»\n]*»\//g;

const bounded = (line: string): string =>
  line.length > longestLine ? `${line.slice(0, longestLine - 1).toWellFormed()}…` : line;
