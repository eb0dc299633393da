import type { Mirror } from "../git/git.ts";
import type { BranchName, RepoName } from "../protocol/names.ts";

/** A configured repo, wired up. */
export interface Repo {
  readonly name: RepoName;
  readonly mirror: Mirror;
  readonly branch: BranchName;
  /** Where flake.nix is, when it is not at the root. */
  readonly directory?: string;
  /** With its submodules: see `FlakeSource`. */
  readonly submodulesOrigin?: string;
  readonly allowImportFromDerivation: boolean;
  /** Why a host is left out; nothing when it is not. */
  readonly exclusion: (host: string) => string | undefined;
  /** How often to look for new commits; 0 for never. */
  readonly pollMs: number;
}
