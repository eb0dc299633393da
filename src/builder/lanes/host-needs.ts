import type { StorePath } from "../../protocol/names.ts";
import type { ReadyWork } from "../work.ts";

/** What one host had to have built when its Nix process began. */
export interface HostNeeds {
  /** Undefined until its graph is read. What is not built is fetched. */
  derivations: ReadonlySet<StorePath> | undefined;
  /** How many of them were built since, by whichever process. */
  built: number;
  /** What is needed by anything that is being built now, in whichever process. */
  readonly running: Set<StorePath>;
}

/** The needs of every host that a running Nix process is for: processes share derivations, and each is built by one. */
export type NeedsOfHosts = Map<ReadyWork, HostNeeds>;
