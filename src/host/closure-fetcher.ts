// How a closure comes onto the host. Nothing is ever built there.
import type { Sha256 } from "../protocol/store-paths/sha256.ts";
import type { StorePath } from "../protocol/names.ts";

export interface FetchRequest {
  readonly path: StorePath;
  /** As the builder stated it; absent for a system that the host had before. */
  readonly narHash?: Sha256;
  /** The name of the GC root that holds it from before the first byte. */
  readonly root: string;
  readonly trustedCacheKeys: readonly string[];
  readonly trustLocalBuilds: boolean;
  readonly minFreeBytes: number;
  readonly timeoutMs: number;
}

export interface ToFetch {
  readonly paths: number;
  /** To be unpacked into the store. */
  readonly bytes: number;
}

/**
 * @throws HomelabError with one of the codes `NOT_CACHED`, `NO_SPACE`, `UNSIGNED` and what the host cannot do; nothing was
 *   activated then, and finished paths are kept.
 */
export interface ClosureFetcher {
  /** Signatures and sizes as the cache says them, and whether there is room, before a byte is loaded. */
  plan(request: FetchRequest, signal: AbortSignal): Promise<ToFetch>;
  /** Afterwards the whole closure is valid and signed, or was built here and that is trusted. */
  fetch(request: FetchRequest, signal: AbortSignal): Promise<void>;
  /** Roots of this name are dropped; the closure may then be collected. */
  dropRoot(root: string): Promise<void>;
  listRoots(): Promise<readonly string[]>;
}
