// Carries out repairs, and believes none of them: what was repaired is proven again.
import type { StoreRepair } from "../nix/store.ts";
import type { PathFacts } from "../protocol/store-paths/path-facts.ts";
import type { StorePath } from "../protocol/names.ts";
import { decideRepairs, type RepairMeans } from "./decide-repairs.ts";
import { noProofs } from "./proofs.ts";
import { verifyClosure, type Verification, type VerifyOptions } from "./verify.ts";

export interface RepairOptions {
  readonly store: StoreRepair;
  readonly means: RepairMeans;
  readonly verify: VerifyOptions;
  /** Before each step. */
  readonly onStep: (step: string) => void;
}

export interface RepairOutcome {
  /** The state after the repairs. */
  readonly verification: Verification;
  /** Paths that were not served and now are. */
  readonly repaired: readonly StorePath[];
  /** Why the others could not be repaired, where it is known. */
  readonly left: ReadonlyMap<StorePath, string>;
}

/** @param closure of this machine's store */
export async function repair(
  { store, means, verify, onStep }: RepairOptions,
  verification: Verification,
  closure: ReadonlyMap<StorePath, PathFacts>,
  signal: AbortSignal,
): Promise<RepairOutcome> {
  const {
    sign,
    restore,
    copy,
    left: undoable,
  } = decideRepairs(
    verification.findings.filter(({ path }) => closure.has(path)),
    means,
  );
  const left = new Map(undoable);
  const note = (paths: readonly StorePath[], reason: string | undefined): void => {
    if (reason !== undefined) for (const path of paths) left.set(path, reason);
  };
  for (const path of restore) {
    onStep(`checking ${path}, and restoring it if it is damaged`);
    note([path], await store.restore(path, signal));
  }
  // What Nix fetched or built again has lost its signatures.
  const restored = means.canSign ? restore.filter((path) => !left.has(path)) : [];
  const unsigned = [...sign, ...restored];
  if (unsigned.length > 0) {
    onStep(`signing ${paths(unsigned.length)}`);
    note(unsigned, await store.sign(unsigned, signal));
  }
  if (copy.length > 0) {
    onStep(`copying ${paths(copy.length)} to the cache`);
    note(copy, await store.replace(copy, signal));
  }
  const tried = new Map(
    [...sign, ...restore, ...copy].flatMap((path) => {
      const facts = closure.get(path);
      return facts === undefined ? [] : [[path, facts] as const];
    }),
  );
  const again = await verifyClosure({ ...verify, proofs: noProofs }, [...tried.keys()], tried, signal);
  const stillBad = new Set(again.findings.map(({ path }) => path));
  const others = verification.findings.filter(({ path }) => !tried.has(path));
  return {
    verification: { ...verification, findings: [...others, ...again.findings] },
    repaired: [...tried.keys()].filter((path) => !stillBad.has(path)),
    left: new Map([...left].filter(([path]) => !tried.has(path) || stillBad.has(path))),
  };
}

const paths = (count: number): string => (count === 1 ? "1 path" : `${count} paths`);
