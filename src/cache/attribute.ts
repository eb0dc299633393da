// From paths back to the systems that need them.
import type { StorePath } from "../protocol/names.ts";
import type { Finding } from "./finding.ts";
import type { Verification } from "./verify.ts";

export interface TopProof {
  readonly paths: number;
  /** The bytes of all NARs, uncompressed. */
  readonly bytes: number;
  /** The findings of its closure; empty means that the cache serves all of it. */
  readonly findings: readonly Finding[];
}

/** What was found of each top's own closure. */
export function attribute(
  tops: Iterable<StorePath>,
  { closure, findings }: Pick<Verification, "closure" | "findings">,
): ReadonlyMap<StorePath, TopProof> {
  const proofs = new Map<StorePath, TopProof>();
  for (const top of tops) {
    const own = closureOf(top, closure);
    let bytes = 0;
    for (const path of own) bytes += closure.get(path)?.narSize ?? 0;
    proofs.set(top, { paths: own.size, bytes, findings: findings.filter(({ path }) => own.has(path)) });
  }
  return proofs;
}

function closureOf(top: StorePath, closure: Verification["closure"]): ReadonlySet<StorePath> {
  const found = new Set([top]);
  // A set can grow while it is gone through.
  for (const path of found) for (const reference of closure.get(path)?.references ?? []) found.add(reference);
  return found;
}
