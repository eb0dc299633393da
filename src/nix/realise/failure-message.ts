// What an error of Nix says about a build, in the words of each version. "2.8" is 2.8 to 2.28, "2.29" what follows.
import { judgementOf, unquoted } from "./judgement.ts";
import { looksLikeInfrastructure } from "../words/infrastructure-error.ts";

/** How a build ended, as Nix tells it. */
export type ReportedEnd =
  | { readonly type: "exit-code"; readonly exitCode: number }
  | { readonly type: "signal"; readonly signal: number }
  | { readonly type: "timeout" }
  | { readonly type: "silence" }
  /** Nix judged what the builder did, or what the derivation asks for: see judgement.ts. */
  | { readonly type: "rejected" }
  /** It was to be fetched, and could not be. */
  | { readonly type: "substitution" }
  /** Nothing here can build it: another system, or a feature such as kvm. */
  | { readonly type: "no-builder" }
  /** Nix could not run the builder, or lost the machine that it ran on. */
  | { readonly type: "environment" }
  | { readonly type: "unknown" };

export interface FailureMessage {
  /** Undefined when it names none, as a timeout since 2.29. */
  readonly drvPath: string | undefined;
  /** Store paths in its first line, or below them: some of Nix's judgements name the output only. */
  readonly paths: readonly string[];
  /** The remote builder that said it, and not this machine's Nix. */
  readonly machine?: string;
  readonly end: ReportedEnd;
  /** One line for people, without hashes. */
  readonly reason: string;
  /** All that Nix said, at most 50 lines, where that is more than the reason. */
  readonly lines?: readonly string[];
  /** Nix noticed that a disk was full, by its own means or as an error of its own. */
  readonly diskFull: boolean;
}

/**
 * Reads an error of Nix. Undefined for what only follows from other errors: that a dependency failed, or the list
 * of all that failed.
 */
export function readFailureMessage(text: string): FailureMessage | undefined {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    // Nix quotes the end of the builder's log like this, and those are not Nix's own words.
    .filter((line) => line !== "" && !line.startsWith(">"));
  const first = firstOf(lines);
  const elsewhere = onMachine.exec(first)?.groups;
  return elsewhere === undefined
    ? readLines(first, lines)
    : readElsewhere(elsewhere, [elsewhere["rest"] ?? "", ...lines.slice(1)]);
}

const onMachine = /^build of '(?<drvPath>\/[^']+\.drv)' on '(?<machine>[^']*)' failed: (?<rest>.*)$/;

/** Without a trace in front: since 2.20 "error:", lines with "…", and the error itself behind another "error:". */
function firstOf(lines: readonly string[]): string {
  const isTraced = /^error:$/.test(lines[0] ?? "");
  const own = isTraced ? lines.findLast((line) => /^error: ./.test(line)) : lines[0];
  return (own ?? "").replace(/^(?:error|warning): */, "").replace(/;$/, "");
}

function readElsewhere(
  { drvPath, machine }: Readonly<Record<string, string>>,
  rest: readonly string[],
): FailureMessage {
  const first = firstOf(rest);
  const said = readLines(first, rest) ?? { ...unknownEnd, reason: shortened(first) };
  return { ...said, drvPath, machine };
}

const unknownEnd = { paths: [], end: { type: "unknown" }, diskFull: false } as const;

function readLines(first: string, lines: readonly string[]): FailureMessage | undefined {
  const reasonLine = lines.find((line) => line.startsWith("Reason: "));
  const reason = reasonLine?.slice("Reason: ".length).replace(/\.$/, "") ?? first;
  if (isConsequence(first, reason)) return undefined;
  const isSurroundings =
    lines.some((line) => line.includes("while setting up the build environment")) || damagedCopy.test(reason);
  const judgement = isSurroundings ? undefined : judgementOf(reason, lines);
  return {
    drvPath: derivationIn(first) ?? derivationIn(lines.find((line) => line.includes(parsing)) ?? ""),
    paths: [...first.matchAll(quotedPath)].map(([, path = ""]) => path),
    end: isSurroundings
      ? { type: "environment" }
      : judgement === undefined
        ? endOf(reason)
        : { type: "rejected" },
    reason: shortened(judgement?.reason ?? reasonFor(reason, lines)),
    ...(judgement !== undefined && lines.length > 1 ? { lines: lines.slice(0, maxLines) } : {}),
    diskFull: fullDisk.test(lines.join("\n")),
  };
}

/** What arrives from another store, or is sent there, is not what that store says it is. */
const damagedCopy = /^could not copy |\bhash mismatch importing path\b/;

const maxLines = 50;
/** Since 2.29 Nix puts paths into double quotes in some messages. */
const quotedPath = /['"](\/[^'"]+)['"]/g;
const parsing = "while parsing derivation '";
const fullDisk = /lack of free disk space|No space left on device|Disk quota exceeded/i;

const derivationIn = (line: string): string | undefined =>
  /'(?<drvPath>\/[^']+\.drv)(?:[!^][^']*)?'/.exec(line)?.groups?.["drvPath"];

/**
 * 2.8: "1 dependencies of derivation 'D' failed to build"; 2.29: "Reason: 1 dependency failed." That a remote builder
 * cannot be used is for machine-reports.ts, as Nix tries the next one, or says itself what it has no builder for. 2.8 says
 * how to see more of an error in a message of its own.
 */
const isConsequence = (first: string, reason: string): boolean =>
  /^\d+ dependenc(?:y|ies) of derivation .* failed to build$/.test(first) ||
  /^\d+ dependenc(?:y|ies) failed$/.test(reason) ||
  /^build of (?:'[^']*'(?:, )?)+ failed$/.test(first) ||
  /^cannot build on '[^']*': |^Failed to find a machine for remote build!/.test(first) ||
  first.startsWith("(use '--show-trace' ") ||
  /^some references of path .* could not be realised$/.test(first);

function endOf(reason: string): ReportedEnd {
  const exit = /failed with exit code (?<code>\d+)$/.exec(reason)?.groups?.["code"];
  if (exit !== undefined) return { type: "exit-code", exitCode: Number(exit) };
  const signal = /failed due to signal (?<signal>\d+)/.exec(reason)?.groups?.["signal"];
  if (signal !== undefined) return { type: "signal", signal: Number(signal) };
  const words = unquoted(reason);
  const end = ends.find(([pattern]) => pattern.test(words));
  if (end !== undefined) return { type: end[1] };
  return { type: looksLikeInfrastructure(reason) ? "environment" : "unknown" };
}

const ends = [
  [/timed out after \d+ seconds of silence$/, "silence"],
  [/timed out after \d+ seconds$/, "timeout"],
  [
    /with features \{.*\} is required to build|^required system or feature not available|^platform mismatch$|^missing system features$|^local builds are disabled|^unable to start any build\b/i,
    "no-builder",
  ],
  [
    /end-of-file|^unexpected EOF reading a line$|^bad machine specification|connection (?:reset|refused|timed out|closed)|closed by remote host|no route to host|network is unreachable|host key verification failed|permission denied \(|broken pipe|cannot (?:connect|open connection)|failed to start SSH|temporarily unavailable|cannot allocate memory|daemon (?:disconnected|out of memory|version|protocol)|protocol mismatch|is too old|unable to (?:fork|start)|namespaces|world-writable|killed by SIGKILL/i,
    "environment",
  ],
  [/substitute|is required, but there is no|unable to download/, "substitution"],
] as const satisfies readonly (readonly [RegExp, ReportedEnd["type"]])[];

function reasonFor(reason: string, lines: readonly string[]): string {
  const of = (label: string): string | undefined =>
    lines
      .find((line) => line.startsWith(label))
      ?.slice(label.length)
      .trim();
  const required = requirement(reason, of);
  if (required !== undefined) return `no builder ${required}`;
  return reason.replace(/^builder for '[^']+' /, "builder ");
}

/**
 * 2.8: "a 'aarch64-linux' with features {kvm} is required to build 'D', but I am a ..."; 2.29 has it in a line of its
 * own; 2.34 has a line for the system and one for the features, each only where that is what is missing.
 */
function requirement(reason: string, of: (label: string) => string | undefined): string | undefined {
  const single = /^a (?<system>'[^']*' with features \{.*?\}) is required/.exec(reason)?.groups?.["system"];
  const system = single ?? of("Required system:");
  const features = of("Required features:");
  const parts = [
    ...(system === undefined ? [] : [`for ${system.replace(/ with features \{\}$/, "")}`]),
    ...(features === undefined ? [] : [`with features ${features}`]),
  ];
  return parts.length === 0 ? undefined : parts.join(" ");
}

const maxReasonLength = 600;
const storePath = /\/[\w./+-]*\/[0-9a-z]{32}-(?<name>[\w+?=.-]+?)(?:\.drv)?(?![\w+?=.-])/g;

/** One bounded line with names instead of store paths. */
const shortened = (reason: string): string =>
  reason.replaceAll(storePath, "$<name>").replaceAll(/\s+/g, " ").slice(0, maxReasonLength);
