// A store path as the database of the store that built it knows it.
import type { StorePath } from "../names.ts";
import type { Sha256 } from "./sha256.ts";

/** What the store's database knows about a valid path. */
export interface PathFacts {
  readonly path: StorePath;
  readonly narHash: Sha256;
  /** Bytes of its NAR. */
  readonly narSize: number;
  /** Sorted; with the path itself where it refers to itself. */
  readonly references: readonly StorePath[];
}
