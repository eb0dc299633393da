/** Moves the inputs of a flake. */
export interface Locker {
  /**
   * Updates flake.lock in a checkout: all inputs of the flake, or some, to what their URLs point to now, and makes it
   * fit flake.nix. The checkout
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
   * @returns for a flake, the whole lock with the input at the revision; for anything else, a lock that has only it.
   *   What the input's `original` is in it says nothing.
   */
  lockRevision(directory: string, options: LockRevisionOptions, signal: AbortSignal): Promise<LockUpdate>;
}

export interface LockUpdateOptions {
  /**
   * Inputs of the flake itself; all when absent. With none of them only what flake.nix demands is done: inputs that
   * it has since are locked, and what is gone from it is dropped.
   */
  readonly inputs?: readonly string[];
  readonly timeoutMs: number;
}

export interface LockRevisionOptions {
  /** The name of the flake's own input. */
  readonly input: string;
  /** The revision as a flake reference: `github:NixOS/nixpkgs/<revision>`. */
  readonly reference: string;
  /** Whether the input is a flake, which has inputs of its own. */
  readonly isFlake: boolean;
  readonly timeoutMs: number;
}

export type LockUpdate =
  /** The text of flake.lock as it is now; whether it changed is for its content to say. */
  | { readonly type: "updated"; readonly lock: string }
  | { readonly type: "failed"; readonly failure: LockUpdateFailure };

export interface LockUpdateFailure {
  /**
   * `unavailable`: an input or the network cannot be reached, so that the same update may work later; `refused`: a remote
   * refuses our credentials; `failed`: what flake.nix asks for does not exist, or does not fit.
   */
  readonly kind: "failed" | "unavailable" | "refused";
  /** One line. */
  readonly message: string;
  /** The same without what it is about. */
  readonly reason: string;
  readonly hint?: string;
  /** The input of the flake itself by which it failed, where Nix tells. */
  readonly input?: string;
  /** Nix continued with what it had fetched once, and does not say about which input that is. */
  readonly isStale?: true;
  /** What Nix said, bounded to 8 KiB, without colours. */
  readonly details: string;
}
