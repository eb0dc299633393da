// What the services need of Nix. `createNix` (create-nix.ts) is the real one.
import type { PathFacts } from "../protocol/path-facts.ts";
import type { Commit, HostName, RepoName, StorePath } from "../protocol/names.ts";
import type { FlakeInput, Override, Revision, RevisionName } from "../protocol/overrides.ts";

/** A flake in a bare mirror at one commit: the only kind of source that is ever evaluated. */
export interface FlakeSource {
  /** Absolute path of a bare git repository that holds the commit, and the ref `refs/homelab-deploy/<commit>`. */
  readonly mirror: string;
  readonly commit: Commit;
  /** Where in the repository flake.nix is; absent for its root. */
  readonly directory?: string;
  /** Inputs that are other commits than the lock says. */
  readonly overrides?: readonly SourceOverride[];
}

export interface SourceOverride extends Omit<FlakeSource, "overrides"> {
  readonly input: FlakeInput;
}

export interface EvaluationOptions {
  readonly timeoutMs: number;
  /** For the evaluator's heap. */
  readonly maxMemoryBytes: number;
  readonly allowImportFromDerivation: boolean;
}

export interface HostEvaluation {
  readonly drvPath: StorePath;
  readonly outPath: StorePath;
  readonly system: string;
  /** `config.warnings` of the host. */
  readonly warnings: readonly string[];
}

/** Why an evaluator process gave no result. */
export interface EvaluationFailure {
  readonly cause: "error" | "timed-out" | "out-of-memory" | "infra";
  /** One line. */
  readonly message: string;
  /** The whole message with its trace, bounded to 8 KiB, without colours. */
  readonly details: string;
}

/**
 * The result of one evaluator process over several hosts. `threw` names hosts whose error Nix caught without its
 * message; `failed` says that the process as a whole gave nothing, by the fault of one of its hosts or of none.
 * Both are to be evaluated again, each host alone, which gives exactly one of `evaluated` and `failed`.
 */
export type BatchEvaluation =
  | {
      readonly type: "evaluated";
      readonly hosts: ReadonlyMap<HostName, HostEvaluation>;
      readonly threw: readonly HostName[];
    }
  | { readonly type: "failed"; readonly failure: EvaluationFailure };

export interface RealiseOptions {
  /** For each derivation: seconds of building, and seconds without output. */
  readonly timeoutSeconds: number;
  readonly silenceSeconds: number;
  /** Nix's `max-jobs` and `cores`; absent for what nix.conf says. */
  readonly maxJobs?: number;
  readonly cores?: number;
  /** Only these; absent for what nix.conf says. */
  readonly substituters?: readonly string[];
}

/** What happens while Nix builds, already freed of the differences between its versions. */
export type NixActivity =
  | { readonly type: "derivation-started"; readonly drvPath: StorePath; readonly machine?: string }
  | { readonly type: "derivation-stopped"; readonly drvPath: StorePath }
  | { readonly type: "phase"; readonly drvPath: StorePath; readonly phase: string }
  | { readonly type: "log-line"; readonly drvPath: StorePath; readonly line: string }
  | {
      readonly type: "build-counts";
      readonly done: number;
      readonly expected: number;
      readonly running: number;
      readonly failed: number;
    }
  | { readonly type: "fetch-counts"; readonly done: number; readonly expected: number }
  | { readonly type: "message"; readonly message: NixMessage };

export interface NixMessage {
  /** 0 is an error, 1 a warning; but a trace of the evaluator is 0 too. */
  readonly level: number;
  /** Without colours. */
  readonly text: string;
  /** Nix itself said it; a builder can print messages as well, and they look the same but for this. */
  readonly authentic: boolean;
}

export interface RealiseResult {
  readonly exitCode: number | undefined;
  readonly killedBy: string | undefined;
  /** Nix's own errors and warnings, the last 200. */
  readonly messages: readonly NixMessage[];
  /** Derivations that began to build, with what the clock says of them. */
  readonly started: ReadonlyMap<StorePath, StartedDerivation>;
  /** Processes that the kernel killed for lack of memory, on the whole machine, while this ran. */
  readonly outOfMemoryKills: number;
}

export interface StartedDerivation {
  readonly durationMs: number;
  /** From its last output to its end. */
  readonly silentMs: number;
  readonly phase?: string;
}

/** A derivation, as its file in the store says it. */
export interface Derivation {
  readonly outputs: ReadonlyMap<string, StorePath>;
  readonly inputDrvs: ReadonlyMap<StorePath, readonly string[]>;
  readonly system: string;
}

export interface LockUpdateOptions {
  /** Inputs of the flake itself; all when absent. */
  readonly inputs?: readonly string[];
  readonly timeoutMs: number;
}

export type LockUpdate =
  /** The text of flake.lock as it is now; whether it changed is for its content to say. */
  | { readonly type: "updated"; readonly lock: string }
  | { readonly type: "failed"; readonly failure: LockUpdateFailure };

export interface LockUpdateFailure {
  /** `unavailable`: an input or the network is out of reach, so that the same update may work later. */
  readonly kind: "failed" | "unavailable";
  /** One line. */
  readonly message: string;
  readonly hint?: string;
  /** The input of the flake itself by which it failed, where Nix tells. */
  readonly input?: string;
  /** What Nix said, bounded to 8 KiB, without colours. */
  readonly details: string;
}

export interface LockRevisionOptions {
  /** Of the flake itself. */
  readonly input: string;
  /** The revision as a flake reference: `github:NixOS/nixpkgs/<revision>`. */
  readonly reference: string;
  /** Whether the input is a flake, which has inputs of its own. */
  readonly isFlake: boolean;
  readonly timeoutMs: number;
}

/** A path of a closure. */
export interface ClosurePath {
  readonly path: StorePath;
  /** Bytes in the store. */
  readonly size: number;
}

/** Parts of a NixOS system that only change with a reboot; absent where the system has no such part. */
export interface BootParts {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly "kernel-modules"?: string;
  readonly "kernel-params"?: string;
  readonly systemd?: string;
}

/** A toplevel with everything that it needs. */
export interface Closure {
  readonly paths: readonly ClosurePath[];
  readonly boot: BootParts;
}

export interface Nix {
  /** `2.8.0` */
  readonly version: string;
  /** The system that it builds for: `x86_64-linux`. */
  readonly system: string;
  /** All systems that it can build for, with `extra-platforms` and remote builders. */
  readonly systems: readonly string[];
  readonly storeDirectory: string;

  /**
   * Every attribute of `nixosConfigurations`, also names that we cannot use otherwise; empty where the flake has
   * no such attribute.
   * @throws HomelabError `failed` when the flake does not evaluate, `unavailable` for infrastructure faults, `usage`
   *   `UNKNOWN_FLAKE_INPUT` for an override of an input that the flake does not have.
   */
  listHosts(source: FlakeSource, options: EvaluationOptions, signal: AbortSignal): Promise<readonly string[]>;

  /** Evaluates hosts in one process. Throws only when aborted, or when Nix cannot be run at all. */
  evaluate(
    source: FlakeSource,
    hosts: readonly HostName[],
    options: EvaluationOptions,
    signal: AbortSignal,
  ): Promise<BatchEvaluation>;

  /**
   * Which of these paths are valid in the store, by one process; none for no paths.
   * @throws HomelabError `unavailable` when the store does not answer.
   */
  validPaths(paths: readonly StorePath[], signal: AbortSignal): Promise<ReadonlySet<StorePath>>;

  /**
   * Builds or fetches derivations with their closures, going on after failures. That it returns says nothing of
   * success: ask `validPaths`. `onActivity` must be quick; when it returns a promise Nix's output waits for it.
   */
  realise(
    drvPaths: readonly StorePath[],
    options: RealiseOptions,
    onActivity: (activity: NixActivity) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<RealiseResult>;

  /** @throws HomelabError `unavailable` with code `DERIVATION_MISSING` when the file is not there (any more). */
  readDerivation(drvPath: StorePath): Promise<Derivation>;

  /** Whether something is at this path; cheap, and less than valid: for estimates only. */
  present(path: StorePath): Promise<boolean>;

  /** The stored log of a derivation in pieces; nothing when there is none. */
  readLog(
    drvPath: StorePath,
    onChunk: (chunk: Uint8Array) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;

  /**
   * Asks each substituter of nix.conf for its `nix-cache-info` and says which of them do not answer, so that a
   * build can leave them out instead of failing or hanging on them.
   */
  probeSubstituters(signal: AbortSignal): Promise<SubstituterProbe>;

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

  /** The derivations of this graph whose outputs are not there: what a build of it has to build or fetch. An estimate. */
  unbuilt(top: StorePath): Promise<ReadonlySet<StorePath>>;

  /**
   * Updates flake.lock in a checkout: all inputs of the flake, or some, to what their URLs point to now. The checkout
   * must be the caller's own; after a failure its flake.lock may be either.
   *
   * @param directory absolute path of the directory that flake.nix is in
   * @throws HomelabError `usage` with code `UNKNOWN_FLAKE_INPUT`; `failed` with code `FLAKE_LOCK_INVALID`.
   */
  updateLock(directory: string, options: LockUpdateOptions, signal: AbortSignal): Promise<LockUpdate>;

  /**
   * Locks one input to one revision, and writes nothing.
   *
   * @param directory as for `updateLock`
   * @returns of a flake the whole lock with the input at the revision; of what is no flake a lock that has only it.
   *   What the input's `original` is in it says nothing.
   */
  lockRevision(directory: string, options: LockRevisionOptions, signal: AbortSignal): Promise<LockUpdate>;

  /**
   * What a valid toplevel consists of.
   * @throws HomelabError `unavailable` with code `STORE_UNAVAILABLE`.
   */
  readClosure(toplevel: StorePath, signal: AbortSignal): Promise<Closure>;

  /**
   * Every path that these valid paths need, themselves included, each once.
   * @throws HomelabError `unavailable` with code `STORE_UNAVAILABLE`.
   */
  readClosureFacts(
    tops: readonly StorePath[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<StorePath, PathFacts>>;
}

/** Mends what a binary cache serves. Each gives why it could not, in a line, or nothing. */
export interface StoreRepair {
  /** In this machine's store. */
  sign(paths: readonly StorePath[], signal: AbortSignal): Promise<string | undefined>;
  /** Checks the content in this machine's store, and fetches or builds it again where it is damaged. */
  restore(path: StorePath, signal: AbortSignal): Promise<string | undefined>;
  /** Copies from this machine's store to the cache's, in place of what is there. */
  replace(paths: readonly StorePath[], signal: AbortSignal): Promise<string | undefined>;
}

export interface SubstituterProbe {
  /** Those that answer, in nix.conf's order; undefined when all do, so that Nix keeps its own setting. */
  readonly use: readonly string[] | undefined;
  readonly dead: readonly { readonly url: string; readonly reason: string }[];
}

export interface FailureCause {
  /** `no-builder`: nothing here can build for its system. */
  readonly kind: "failed" | "timed-out" | "infra" | "no-builder";
  /** The derivation's name without its hash: `linux-6.18.4`. */
  readonly name: string;
  /** One line: `builder failed with exit code 2`. */
  readonly reason: string;
  readonly exitCode?: number;
  readonly phase?: string;
}

export interface FailureAnalysis {
  readonly causes: ReadonlyMap<StorePath, FailureCause>;
  /** For each top derivation without a valid output, at least one derivation of `causes`. */
  readonly brokenBy: ReadonlyMap<StorePath, readonly StorePath[]>;
}

export interface HostRoots extends Revision {
  readonly repo: RepoName;
  readonly host: HostName;
  readonly drvPath: StorePath;
  readonly outPath: StorePath;
}

/** A commit whose roots a build needs. */
export interface UsedCommit extends Revision {
  readonly repo: RepoName;
  /** It was the tip of the configured branch. */
  readonly isHead: boolean;
}

/** What is rooted of a commit, or of one with overrides. */
export interface RootedCommit extends Revision {
  readonly repo: RepoName;
  /** When its roots were last asked for. */
  readonly usedAt: Date;
  /** At some time it was the tip of the configured branch. */
  readonly wasHead: boolean;
  /** Why somebody wants it kept; absent when nobody does. */
  readonly pin?: string;
  /** The systems, built or not. */
  readonly hosts: ReadonlyMap<HostName, StorePath>;
}

/** Links that keep the garbage collector away, in our own state directory and registered with Nix. */
export interface GcRoots {
  /**
   * Protects a host's derivation and its output, which need not exist yet: before the build, so that there is no
   * moment in which it is built and not protected.
   * @throws HomelabError `unavailable` when Nix does not take the registration.
   */
  protect(roots: readonly HostRoots[], signal: AbortSignal): Promise<void>;
  /** Until it is disposed, or the signal aborts, nobody on this machine drops roots of these commits. */
  use(commits: readonly UsedCommit[], signal: AbortSignal): Promise<AsyncDisposable>;
  /** Everything that is rooted, in no order. */
  list(): Promise<readonly RootedCommit[]>;
  /** Drops the roots of these hosts; none of them when a build uses the commit, or has since it was listed. */
  drop(planned: RootedCommit, hosts: readonly HostName[], signal: AbortSignal): Promise<"dropped" | "in-use">;
  /** Keeps a commit for good, with the reason; or, with undefined, no longer. False when nothing of it is rooted. */
  pin(repo: RepoName, commit: Commit, reason: string | undefined): Promise<boolean>;
}

/** What decides an evaluation's result besides Nix's version and system. */
export interface EvaluationKey {
  readonly repo: RepoName;
  readonly commit: Commit;
  readonly directory?: string;
  readonly overrides?: readonly (Override & { readonly directory?: string })[];
  readonly allowImportFromDerivation: boolean;
}

/** What is remembered of one commit. Reading is from memory; writing reaches the disk soon after. */
export interface CommitMemory {
  inventory(): readonly string[] | undefined;
  rememberInventory(names: readonly string[]): void;
  get(host: HostName): HostEvaluation | EvaluationFailure | undefined;
  /** Failures only when another evaluation would find the same: errors of the host's own code. */
  remember(host: HostName, result: HostEvaluation | EvaluationFailure): void;
  forget(host: HostName): void;
}

/** Evaluations across builds and restarts: the same commit is never evaluated twice. */
export interface EvaluationMemory {
  /** The same object for the same key while it is in use. */
  open(key: EvaluationKey): Promise<CommitMemory>;
  /** Forgets all but the newest commits of the repo, as many with overrides, and those in use. */
  prune(repo: RepoName, keepNewest: number, inUse: ReadonlySet<RevisionName>): Promise<void>;
}
