// What an error of Nix says about a build, in the words of each version. "2.8" is 2.8 to 2.28, "2.29" what follows.
import { looksLikeInfrastructure } from "../words/infrastructure-error.ts";

/** How a build ended, as Nix tells it. */
export type ReportedEnd =
  | { readonly type: "exit-code"; readonly exitCode: number }
  | { readonly type: "signal"; readonly signal: number }
  | { readonly type: "timeout" }
  | { readonly type: "silence" }
  /** Too much log, no output, a wrong hash, forbidden references: Nix judged what the builder did. */
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
  readonly end: ReportedEnd;
  /** One line for people, without hashes. */
  readonly reason: string;
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
    .filter((line) => line !== "");
  const first = (lines[0] ?? "").replace(/^(?:error|warning): */, "").replace(/;$/, "");
  const reasonLine = lines.find((line) => line.startsWith("Reason: "));
  const reason = reasonLine?.slice("Reason: ".length).replace(/\.$/, "") ?? first;
  if (isConsequence(first, reason)) return undefined;
  return {
    drvPath: /'(?<drvPath>\/[^']+\.drv)(?:[!^][^']*)?'/.exec(first)?.groups?.["drvPath"],
    end: endOf(reason),
    reason: shortened(reasonFor(reason, lines)),
    diskFull: /lack of free disk space|No space left on device|Disk quota exceeded/i.test(text),
  };
}

/** 2.8: "1 dependencies of derivation 'D' failed to build"; 2.29: "Reason: 1 dependency failed." */
const isConsequence = (first: string, reason: string): boolean =>
  /^\d+ dependenc(?:y|ies) of derivation .* failed to build$/.test(first) ||
  /^\d+ dependenc(?:y|ies) failed$/.test(reason) ||
  /^build of (?:'[^']*'(?:, )?)+ failed$/.test(first) ||
  /^some references of path .* could not be realised$/.test(first);

function endOf(reason: string): ReportedEnd {
  const exit = /failed with exit code (?<code>\d+)$/.exec(reason)?.groups?.["code"];
  if (exit !== undefined) return { type: "exit-code", exitCode: Number(exit) };
  const signal = /failed due to signal (?<signal>\d+)/.exec(reason)?.groups?.["signal"];
  if (signal !== undefined) return { type: "signal", signal: Number(signal) };
  const end = ends.find(([pattern]) => pattern.test(reason));
  if (end !== undefined) return { type: end[1] };
  return { type: looksLikeInfrastructure(reason) ? "environment" : "unknown" };
}

const ends = [
  [/timed out after \d+ seconds of silence$/, "silence"],
  [/timed out after \d+ seconds$/, "timeout"],
  [/killed after writing more than \d+ bytes of log output$/, "rejected"],
  [/failed to produce output path/, "rejected"],
  [/^hash mismatch in fixed-output derivation/, "rejected"],
  [/not allowed to refer to|may not be deterministic|has a different content|^cycle detected/, "rejected"],
  [
    /with features \{.*\} is required to build|^required system or feature not available|^platform mismatch$|^missing system features$/,
    "no-builder",
  ],
  [
    /end-of-file|connection (?:reset|refused|timed out|closed)|broken pipe|cannot (?:connect|open connection)|temporarily unavailable|cannot allocate memory|unable to (?:fork|start)|while setting up the build environment/i,
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
  if (reason.startsWith("hash mismatch in fixed-output derivation")) {
    return `hash mismatch: specified ${of("specified:") ?? "?"}, got ${of("got:") ?? "?"}`;
  }
  const output = /failed to produce output path for output '(?<name>[^']+)'/.exec(reason)?.groups?.["name"];
  if (output !== undefined) return `builder failed to produce the output '${output}'`;
  const limit = /killed after writing (?<limit>more than \d+ bytes of log output)$/.exec(reason);
  if (limit !== null) return `builder killed after writing ${limit.groups?.["limit"] ?? ""}`;
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

const maxReasonLength = 300;
const storePath = /\/[\w./+-]*\/[0-9a-z]{32}-(?<name>[\w+?=.-]+?)(?:\.drv)?(?![\w+?=.-])/g;

/** One bounded line with names in place of store paths. */
const shortened = (reason: string): string =>
  reason.replaceAll(storePath, "$<name>").replaceAll(/\s+/g, " ").slice(0, maxReasonLength);
