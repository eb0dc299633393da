import type { StorePath } from "../protocol/names.ts";
import type { PathFacts } from "../protocol/store-paths/path-facts.ts";

/** What is in this machine's Nix store. */
export interface Store {
  readonly storeDirectory: string;

  /**
   * Which of these paths are valid in the store, by one process; none for no paths.
   * @throws HomelabError `unavailable` when the store does not answer.
   */
  validPaths(paths: readonly StorePath[], signal: AbortSignal): Promise<ReadonlySet<StorePath>>;

  /** Whether something is at this path; cheap, and less than valid: for estimates only. */
  present(path: StorePath): Promise<boolean>;

  /** @throws HomelabError `unavailable` with code `DERIVATION_MISSING` if the file does not exist (any more). */
  readDerivation(drvPath: StorePath): Promise<Derivation>;

  /** The derivations of this graph whose outputs are missing: what a build of it has to build or fetch. An estimate. */
  unbuilt(top: StorePath): Promise<ReadonlySet<StorePath>>;

  /** The stored log of a derivation in pieces; nothing when there is none. */
  readLog(
    drvPath: StorePath,
    onChunk: (chunk: Uint8Array) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;

  /**
   * What a valid toplevel consists of.
   * @throws HomelabError `unavailable` with code `STORE_UNAVAILABLE`.
   */
  readClosure(toplevel: StorePath, signal: AbortSignal): Promise<Closure>;

  /**
   * What the store knows about these valid paths alone.
   * @throws HomelabError `unavailable` with code `STORE_UNAVAILABLE`.
   */
  readFacts(paths: readonly StorePath[], signal: AbortSignal): Promise<ReadonlyMap<StorePath, PathFacts>>;

  /**
   * Every path that these valid paths need, themselves included, each once.
   * @throws HomelabError `unavailable` with code `STORE_UNAVAILABLE`.
   */
  readClosureFacts(
    tops: readonly StorePath[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<StorePath, PathFacts>>;
}

/** A derivation, as its file in the store says it. */
export interface Derivation {
  readonly outputs: ReadonlyMap<string, StorePath>;
  readonly inputDrvs: ReadonlyMap<StorePath, readonly string[]>;
  readonly system: string;
  /** Nix asks no substituter for its outputs (its attribute `allowSubstitutes`). */
  readonly isOnlyBuilt?: boolean;
  /** Such as `kvm`. */
  readonly requiredFeatures?: readonly string[];
  /** The declared source of a fixed-output derivation, which may use the network. */
  readonly fetches?: readonly string[];
}

/** A toplevel with everything that it needs. */
export interface Closure {
  readonly paths: readonly ClosurePath[];
  readonly boot: BootParts;
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

/** Repairs what a binary cache serves. Each gives why it could not, in a line, or nothing. */
export interface StoreRepair {
  /** In this machine's store. */
  sign(paths: readonly StorePath[], signal: AbortSignal): Promise<string | undefined>;
  /** Checks the content in this machine's store, and fetches or builds it again where it is damaged. */
  restore(path: StorePath, signal: AbortSignal): Promise<string | undefined>;
  /** Copies from this machine's store to the cache's, and replaces what is there. */
  replace(paths: readonly StorePath[], signal: AbortSignal): Promise<string | undefined>;
}
