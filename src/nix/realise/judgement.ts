// What Nix refuses of an output or of a derivation: its own judgement, and so evidence that the derivation failed.

export interface Judgement {
  /** For people, in one line. */
  readonly reason: string;
}

/** @param lines all that Nix said, without what it quotes of the builder's log */
export function judgementOf(reason: string, lines: readonly string[]): Judgement | undefined {
  const words = unquoted(reason);
  if (!judgements.some((pattern) => pattern.test(words)) && !lines.some(isParsing)) return undefined;
  return { reason: sayJudgement(reason, lines) };
}

/** What is in quotes is a name that somebody chose: `'/nix/store/…-end-of-file-fixer' is too large`. */
export const unquoted = (text: string): string =>
  text.replaceAll(/'[^']*'/g, "''").replaceAll(/"[^"]*"/g, "''");

/** Since 2.29: of a derivation whose attributes for Nix are wrong. */
const isParsing = (line: string): boolean => line.startsWith("… while parsing derivation '");

// From local-derivation-goal.cc of 2.8 and 2.26, derivation-builder.cc and derivation-check.cc of 2.34, archive.cc.
const judgements = [
  /killed after writing more than \d+ bytes of log output$/,
  /failed to produce output path/,
  /^hash mismatch in fixed-output derivation/,
  /^fixed-output derivations must not reference store paths/,
  /^output '' is not allowed to refer to the following paths/,
  /^(?:closure of )?path '' is too large at \d+ bytes; limit is /,
  /^derivation contains an illegal reference specifier/,
  /^derivation '' output check for '' contains /,
  /^suspicious ownership or permission on '' for output /,
  /^file '' has an unsupported type/,
  /^output path '' (?:should be a non-executable regular file|without valid stats info)/,
  /^no output reference for '' in build of ''/,
  /^cycle detected in /,
  /^file name collision /,
  /may not be deterministic/,
  /has a different content/,
  /^odd number of tokens in ''|^'' contains a non-store path|^invalid file name '' in ''/,
  /^attribute '.* must be (?:a|an|the) /,
  /^derivation '' has '' set, but that|^derivation '' (?:specifies a sandbox profile|requested impure path)/,
];

function sayJudgement(reason: string, lines: readonly string[]): string {
  const of = (label: string): string | undefined =>
    lines
      .find((line) => line.startsWith(label))
      ?.slice(label.length)
      .trim();
  if (reason.startsWith("hash mismatch in fixed-output derivation")) {
    return `hash mismatch: specified ${of("specified:") ?? "?"}, got ${of("got:") ?? "?"}`;
  }
  const output = /failed to produce output path for output '(?<name>[^']+)'/.exec(reason)?.groups?.["name"];
  if (output !== undefined) return `builder failed to produce the output '${output}'`;
  const limit = /killed after writing (?<limit>more than \d+ bytes of log output)$/.exec(reason);
  if (limit !== null) return `builder killed after writing ${limit.groups?.["limit"] ?? ""}`;
  return reason.endsWith(":") ? `${reason} ${listed(pathsBelow(lines))}` : reason;
}

const listedPaths = 10;

const pathsBelow = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => /^\/\S+$/.test(line));

function listed(paths: readonly string[]): string {
  const more = paths.length - listedPaths;
  return [...paths.slice(0, listedPaths), ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}
