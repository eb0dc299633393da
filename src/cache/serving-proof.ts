// The builder's question after each build: is it served?
import type { Store } from "../nix/store.ts";
import type { StorePath } from "../protocol/names.ts";
import { attribute, type TopProof } from "./attribute.ts";
import { countProblems } from "./finding.ts";
import { verifyClosure, type VerifyOptions } from "./verify.ts";

export interface ServingProofOptions {
  readonly nix: Pick<Store, "readClosureFacts">;
  readonly url: string;
  readonly verify: VerifyOptions;
}

export interface ServingProof {
  /** Why each of these systems is not served whole, in a line; those that are not in it are served. */
  findUnserved(outPaths: readonly StorePath[], signal: AbortSignal): Promise<ReadonlyMap<StorePath, string>>;
}

export function createServingProof({ nix, url, verify }: ServingProofOptions): ServingProof {
  return {
    async findUnserved(outPaths, signal) {
      const closure = await nix.readClosureFacts(outPaths, signal);
      const verification = await verifyClosure(verify, outPaths, closure, signal);
      const unserved = new Map<StorePath, string>();
      for (const [outPath, proof] of attribute(outPaths, verification)) {
        const reason = reasonOf(url, proof);
        if (reason !== undefined) unserved.set(outPath, reason);
      }
      return unserved;
    },
  };
}

function reasonOf(url: string, { paths, findings }: TopProof): string | undefined {
  // A known problem says more than a missing answer.
  const worst =
    findings.find(({ problem }) => problem !== "unanswered" && problem !== "refused") ??
    findings.find(({ problem }) => problem === "refused") ??
    findings[0];
  if (worst === undefined) return undefined;
  if (worst.problem === "unanswered") return worst.detail;
  const { path, detail } = worst;
  if (worst.problem === "refused")
    return `the cache ${url} refuses access, so its state is unknown: ${path}: ${detail}; set cache.netrcFile if it needs a password`;
  return `the cache ${url} does not serve it: ${countProblems(findings)} of ${paths} paths, such as ${path}: ${detail}`;
}
