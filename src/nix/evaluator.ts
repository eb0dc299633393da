import type { Commit, HostName, RepoName, StorePath } from "../protocol/names.ts";
import type { FlakeInput, Override, RevisionName } from "../protocol/overrides.ts";

/** What the flake of a commit says about its hosts. */
export interface Evaluator {
  /**
   * Every attribute of `nixosConfigurations`, also names that we cannot use otherwise; empty where the flake has
   * no such attribute.
   * @throws HomelabError `failed` when the flake does not evaluate, `unavailable` for infrastructure faults, `refused`
   *   `INPUT_DENIED` when a remote of an input refuses our credentials, `usage`
   *   `UNKNOWN_FLAKE_INPUT` for an override of an input that the flake does not have.
   */
  listHosts(source: FlakeSource, options: EvaluationOptions, signal: AbortSignal): Promise<readonly string[]>;

  /**
   * One evaluator process that takes the hosts in their order, and says about each what it found as soon as it has. It ends
   * after the last host, or after one whose error ends Nix: what it has not judged then is for another. The caller may leave it
   * at any event, which ends the process.
   *
   * Throws only when aborted, or when Nix cannot be run at all.
   */
  evaluate(
    source: FlakeSource,
    hosts: readonly HostName[],
    options: EvaluationOptions,
    signal: AbortSignal,
  ): AsyncIterable<EvaluationEvent>;
}

export type EvaluationEvent =
  /** The evaluator has come to this host; what was before of others is over. */
  | { readonly type: "begun"; readonly host: HostName }
  | {
      readonly type: "evaluated";
      readonly host: HostName;
      readonly evaluation: HostEvaluation;
      /** Memory of the process then, if that is known. */
      readonly heldBytes?: number;
    }
  /** By the host that was begun; by all that were asked for where the flake itself failed, before the first of them. */
  | { readonly type: "failed"; readonly hosts: readonly HostName[]; readonly failure: EvaluationFailure }
  /**
   * The process was killed or out of memory at this host, but held others before. As the first of another process the host
   * gets its verdict.
   */
  | { readonly type: "undecided"; readonly host: HostName; readonly reason: string }
  /** Those of the flake's `nixConfig`, which is never accepted. */
  | { readonly type: "ignored-settings"; readonly settings: readonly string[] };

/** A flake in a bare mirror at one commit: the only kind of source that is ever evaluated. */
export interface FlakeSource {
  /** Absolute path of a bare git repository that holds the commit, and the ref `refs/homelab-deploy/<commit>`. */
  readonly mirror: string;
  readonly commit: Commit;
  /** Where in the repository flake.nix is; absent for its root. */
  readonly directory?: string;
  /**
   * With its submodules: the URL that Nix takes the mirror to be at, so that relative URLs of submodules mean what they do
   * at the remote. The variables of `InputAccess` make git find the mirror there.
   */
  readonly submodulesOrigin?: string;
  /** Inputs that are other commits than the lock says. */
  readonly overrides?: readonly SourceOverride[];
}

export interface SourceOverride extends Omit<FlakeSource, "overrides"> {
  readonly input: FlakeInput;
}

export interface EvaluationLimits {
  /** For each host. */
  readonly timeoutMs: number;
  /** For the evaluator's heap. */
  readonly maxMemoryBytes: number;
  /** So large its heap is before anything in it is collected, where the system gives that. Default: as Nix has it. */
  readonly initialHeapBytes?: number;
}

export interface EvaluationOptions extends EvaluationLimits {
  readonly allowImportFromDerivation: boolean;
}

export interface HostEvaluation {
  readonly drvPath: StorePath;
  readonly outPath: StorePath;
  readonly system: string;
  /** `config.warnings` of the host, and what it warned of or traced while it was evaluated; bounded, each once. */
  readonly warnings: readonly string[];
}

/** Why an evaluator process gave no result. */
export interface EvaluationFailure {
  /** `denied`: a remote that an input is fetched from refuses our credentials. */
  readonly cause: "error" | "timed-out" | "out-of-memory" | "infra" | "denied";
  /** For an error in the flake up to 20 lines, with file, line and column first; else one. */
  readonly message: string;
  /** The whole message with its trace, bounded to 8 KiB, without colours. */
  readonly details: string;
  /** What the host warned of or traced before. */
  readonly warnings?: readonly string[];
  /**
   * The code that was evaluated is known to be why: it threw, or it makes no sense. Another evaluation would find the same.
   * Absent where that is not certain.
   */
  readonly isOwn?: boolean;
}

/** What decides an evaluation's result besides Nix's version and system. */
export interface EvaluationKey {
  readonly repo: RepoName;
  readonly commit: Commit;
  readonly directory?: string;
  readonly submodulesOrigin?: string;
  readonly overrides?: readonly (Override & Pick<SourceOverride, "directory" | "submodulesOrigin">)[];
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
