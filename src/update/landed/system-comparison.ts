// What is known about how the hosts' systems differ between two commits.
import type { ClosureDiff } from "../../nix/store/closure-diff.ts";

export interface SystemComparison {
  /** By host, of those whose system changes. */
  readonly diffs: ReadonlyMap<string, ClosureDiff>;
  /** Hosts whose system is the same. */
  readonly unchanged: readonly string[];
  /** Hosts whose difference cannot be determined here, and why, in our own words. */
  readonly unknown: readonly UnknownSystems[];
}

export interface UnknownSystems {
  readonly reason: string;
  readonly hosts: readonly string[];
}

export const nothingKnown: SystemComparison = { diffs: new Map(), unchanged: [], unknown: [] };
