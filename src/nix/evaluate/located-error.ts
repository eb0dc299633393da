// An evaluation error as Nix shows it, without its trace: where it is, what it is, and the source around it.
import type { EvaluationError } from "./evaluation-log.ts";

const mostLines = 20;
const longestLine = 300;

/** At most 20 lines; the first has the position in front, such as `hosts/web.nix:12:5: attribute 'x' missing`. */
export function locatedError(error: EvaluationError): string {
  const place = placeOf(error);
  const [first = "", ...rest] = error.text.split("\n");
  const lines = [
    place === undefined ? first : `${place.shown}: ${first}`,
    ...rest,
    ...(place?.excerpt ?? []),
  ];
  const shown = lines.length > mostLines ? [...lines.slice(0, mostLines - 1), "[…]"] : lines;
  return shown.map((line) => bounded(line.trimEnd())).join("\n");
}

interface Place {
  readonly shown: string;
  /** Lines such as `  12|   x = y.z;`, and the mark below. */
  readonly excerpt: readonly string[];
}

/** `at /nix/store/…-source/flake.nix:3:5:`, since 2.20 also `at «git+file:///…»/flake.nix:3:5:`. */
const frame = /^\s*at (?<file>\S.*?):(?<line>\d+):(?<column>\d+):$/;
const sourceLine = /^\s*\d*\|/;

/**
 * Where Nix itself says that it is; for what is thrown, which has no place, the innermost call of the trace. Nix 2.8 has
 * the error before its trace, newer ones behind it.
 */
function placeOf({ text, whole, position }: EvaluationError): Place | undefined {
  const lines = whole.split("\n");
  const frames = lines.flatMap((line, at) => {
    const { file = "", line: row = "", column = "" } = frame.exec(line)?.groups ?? {};
    return row === "" || isOurs(file) ? [] : [{ file, position: `${row}:${column}`, at }];
  });
  const found =
    position === undefined
      ? frames.at(whole.startsWith(text) ? 0 : -1)
      : frames.find((each) => each.position === `${position.line}:${position.column}`);
  if (found === undefined) {
    return position === undefined || isOurs(position.file)
      ? undefined
      : { shown: `${inSource(position.file)}:${position.line}:${position.column}`, excerpt: [] };
  }
  const below = lines.slice(found.at + 1);
  const from = below[0]?.trim() === "" ? 1 : 0;
  const end = below.findIndex((line, at) => at >= from && !sourceLine.test(line));
  const excerpt = below.slice(from, end < 0 ? undefined : end).map((line) => line.replace(/^ {1,6}/, ""));
  return { shown: `${inSource(found.file)}:${found.position}`, excerpt };
}

/**
 * The expression that we evaluate: «string», `(string)`, or, as the file of an error of 2.8, its whole text. Nobody has
 * it before their eyes. Files have absolute paths, or since 2.20 a flake reference in front.
 */
const isOurs = (file: string): boolean => !/^(?:\/|«(?!string»))/.test(file);

/** Without the store path, or since 2.20 the flake reference, of the tree that it is in. */
const inSource = (file: string): string =>
  file.replace(/^\/.*\/[0-9a-z]{32}-source\//, "").replace(/^«[^»]*»\//, "");

const bounded = (line: string): string =>
  line.length > longestLine ? `${line.slice(0, longestLine - 1).toWellFormed()}…` : line;
