import type { StorePath } from "../protocol/names.ts";
import type { MachineReports } from "./realise/machine-claims.ts";

/** Builds, and says why something was not built. */
export interface Realiser {
  /** `2.8.0` */
  readonly version: string;

  /** All systems that it can build for, with `extra-platforms` and remote builders. */
  readonly systems: readonly string[];
  /** The remote builders of nix.conf, as activities name them. */
  readonly machines: readonly string[];
  /** Those of them that others of nix.conf can replace: what they take, another one takes that is not among them. */
  machinesToSpare(machines: readonly string[]): readonly string[];
  /** Whether `withoutMachines` has an effect: a Nix daemon obeys it only if it trusts this user. */
  readonly choosesMachines: boolean;
  /** How many derivations are built at a time, by nix.conf: on this machine and on remote builders. */
  readonly slots: { readonly here: number; readonly remote: number };

  /**
   * Asks each substituter of nix.conf for its `nix-cache-info` and says which of them do not answer, so that a
   * build can leave them out instead of failing or hanging on them.
   */
  probeSubstituters(signal: AbortSignal): Promise<SubstituterProbe>;

  /**
   * Builds or fetches derivations with their closures, going on after failures. That it returns says nothing about
   * success: ask `validPaths`. `onActivity` must be quick; when it returns a promise Nix's output waits for it.
   * `soFar` gives what the process would return if it ended now: it has neither an exit code nor a signal.
   */
  realise(
    drvPaths: readonly StorePath[],
    options: RealiseOptions,
    onActivity: (activity: NixActivity, soFar: () => Promise<RealiseResult>) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<RealiseResult>;

  /**
   * Why these top derivations have no valid output after `realise`: walks their graphs down the invalid outputs
   * to the derivations that failed by themselves. Facts decide (what is valid, what started, what the clock and
   * the kernel say); messages only give the reason's words.
   */
  findFailures(
    tops: readonly StorePath[],
    result: RealiseResult,
    options: RealiseOptions,
    signal: AbortSignal,
  ): Promise<FailureAnalysis>;
}

export interface RealiseOptions {
  /** For each derivation: seconds of building, and seconds without output. */
  readonly timeoutSeconds: number;
  readonly silenceSeconds: number;
  /** Nix's `max-jobs` and `cores`; absent for what nix.conf says. */
  readonly maxJobs?: number;
  readonly cores?: number;
  /** Only these; absent for what nix.conf says. */
  readonly substituters?: readonly string[];
  /** Remote builders that are not used, of `machinesToSpare`: see `choosesMachines`. */
  readonly withoutMachines?: readonly string[];
}

/** What happens while Nix builds, already freed of the differences between its versions. */
export type NixActivity =
  | {
      readonly type: "derivation-started";
      readonly drvPath: StorePath;
      /** The remote builder that builds it, `ssh://arm1`; absent for this machine. Printable ASCII, at most 200 characters. */
      readonly machine?: string;
    }
  | {
      readonly type: "derivation-stopped";
      readonly drvPath: StorePath;
      /** As Nix counts; absent where it did not fail, or where Nix tells it later. */
      readonly failed?: true;
    }
  /** Nix is going to build it, unless somebody else does. */
  | { readonly type: "derivation-planned"; readonly drvPath: StorePath }
  /** Nix's `post-build-hook`, behind a derivation that was built: its lines are lines of the derivation's log. */
  | { readonly type: "hook-started" | "hook-stopped"; readonly drvPath: StorePath }
  | { readonly type: "phase"; readonly drvPath: StorePath; readonly phase: string }
  /** One or more lines of its log: those that were read at once. */
  | { readonly type: "log-lines"; readonly drvPath: StorePath; readonly lines: readonly string[] }
  | {
      readonly type: "build-counts";
      readonly done: number;
      readonly expected: number;
      readonly running: number;
      readonly failed: number;
    }
  /** What a build waits for: another process's lock, a machine. Without a reason none waits any more. */
  | { readonly type: "waiting"; readonly reason: string | undefined }
  | { readonly type: "fetch-counts"; readonly done: number; readonly expected: number }
  /** More of a path was downloaded, or copied from or to a remote builder. */
  | { readonly type: "transferred" }
  | { readonly type: "message"; readonly message: NixMessage };

export interface NixMessage {
  /** 0 is an error, 1 a warning; but a trace of the evaluator is 0 too. */
  readonly level: number;
  /** Without colours. */
  readonly text: string;
  /** Nix itself said it; a builder can print messages as well, and they look the same but for this. */
  readonly authentic: boolean;
  /** It has the mark of Nix's own errors, which those that a daemon or a build hook passes on have not. */
  readonly own?: boolean;
  /** It stands between Nix's lines: ssh printed it, or another program behind Nix. */
  readonly foreign?: boolean;
}

export interface RealiseResult {
  readonly exitCode: number | undefined;
  readonly killedBy: string | undefined;
  /** Nix's own errors and warnings, the last 200. */
  readonly messages: readonly NixMessage[];
  /** Derivations that began to build, with what the clock says about them. */
  readonly started: ReadonlyMap<StorePath, StartedDerivation>;
  /** What was said about remote builders; absent where none was needed. */
  readonly machines?: MachineReports;
  /** Derivations that were built again, each alone in a process, as nobody knew which one ended the first. */
  readonly apart?: ReadonlyMap<StorePath, RealiseResult>;
  /** Processes that the kernel killed for lack of memory, on the whole machine, while this ran. */
  readonly outOfMemoryKills: number;
}

export interface StartedDerivation {
  readonly durationMs: number;
  /** `known`: the duration is its own, to the second; `late`: it ended, perhaps long before. Absent while it builds. */
  readonly end?: "known" | "late";
  /** From its last output to its end. */
  readonly silentMs: number;
  readonly phase?: string;
  /** The remote builder that built it, as activities name it. */
  readonly machine?: string;
}

export interface SubstituterProbe {
  /** Those that answer, in nix.conf's order; undefined when all do, so that Nix keeps its own setting. */
  readonly use: readonly string[] | undefined;
  readonly dead: readonly { readonly url: string; readonly reason: string }[];
}

export interface FailureAnalysis {
  readonly causes: ReadonlyMap<StorePath, FailureCause>;
  /** For each top derivation without a valid output, at least one derivation of `causes`. */
  readonly brokenBy: ReadonlyMap<StorePath, readonly StorePath[]>;
}

export interface FailureCause {
  /**
   * - `no-builder`: nothing is configured that builds for its system
   * - `interrupted`: another derivation's error ended the process that would have built it
   * - `unclear`: an error that does not say about what ended the process; it is to be built apart
   */
  readonly kind: "failed" | "timed-out" | "infra" | "no-builder" | "interrupted" | "unclear";
  /** The derivation's name without its hash: `linux-6.18.4`. */
  readonly name: string;
  /** One line: `builder failed with exit code 2`. */
  readonly reason: string;
  readonly exitCode?: number;
  readonly phase?: string;
  /** The remote builder that it was last built on, as activities name it. */
  readonly machine?: string;
  /** The system that nothing here builds for, with `no-builder`; absent where only a feature is missing. */
  readonly system?: string;
  /** What Nix said, line by line, where that is more than the reason. */
  readonly lines?: readonly string[];
}
