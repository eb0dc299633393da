// Whether a closure may be fetched, from what the caches say about it: before a byte of it is loaded.
import { HomelabError } from "../../base/errors.ts";
import type { NarInfo } from "../../narinfo/narinfo.ts";
import type { PathProblem } from "../../narinfo/path-problem.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { Sha256 } from "../../protocol/store-paths/sha256.ts";

/** A path that no cache serves as it should. */
export interface FetchFault {
  readonly path: StorePath;
  readonly problem: PathProblem;
  readonly detail: string;
}

export interface FetchFacts {
  readonly top: StorePath;
  /** As it was built; absent when nobody stated it. */
  readonly narHash: Sha256 | undefined;
  /** What the caches say about each path that the store does not have. */
  readonly missing: readonly Pick<NarInfo, "storePath" | "narHash" | "narSize">[];
  readonly faults: readonly FetchFault[];
  /** The free bytes of the store's file system. */
  readonly freeBytes: number;
  /** To be left free. */
  readonly minFreeBytes: number;
}

/** The store needs more than its NARs: blocks are not full, and its database grows. */
const roomFactor = 1.1;

export const bytesOf = (missing: FetchFacts["missing"]): number =>
  missing.reduce((sum, { narSize }) => sum + narSize, 0);

/** Why not; undefined when it may be fetched. What nobody has signed comes before what does not exist. */
export function decideFetch(facts: FetchFacts): HomelabError | undefined {
  const forged = facts.faults.find(({ problem }) => problem === "unsigned" || problem === "wrongly-signed");
  if (forged !== undefined) return unsigned(`${forged.path}: ${forged.detail}`);
  const [absent] = facts.faults;
  if (absent !== undefined) return notCached(facts.faults.length, `${absent.path}: ${absent.detail}`);
  const said = facts.missing.find(({ storePath }) => storePath === facts.top)?.narHash;
  const hash = facts.narHash === undefined || said === undefined ? undefined : whyOther(facts.narHash, said);
  if (hash !== undefined) return unsigned(`${facts.top}: ${hash}`);
  if (facts.missing.length === 0) return undefined;
  const needed = Math.ceil(bytesOf(facts.missing) * roomFactor) + facts.minFreeBytes;
  return needed > facts.freeBytes ? noSpace(needed, facts.freeBytes, facts.minFreeBytes) : undefined;
}

/** Why a path is not what was built, by the hashes of both. */
export const whyOther = (stated: Sha256, found: Sha256): string | undefined =>
  stated === found ? undefined : `the builder stated ${stated}, and this is ${found}`;

export function unsigned(detail: string): HomelabError {
  return new HomelabError("refused", `the closure is not what was signed: ${detail}`, {
    code: "UNSIGNED",
    hint: "check `trustedCacheKeys` of the host, and sign the builder's store: nix store sign --recursive",
  });
}

export function notCached(paths: number, detail: string): HomelabError {
  const which = paths === 1 ? "a path" : `${paths} paths`;
  return new HomelabError("unavailable", `no cache serves ${which} of the closure: ${detail}`, {
    code: "NOT_CACHED",
    hint: "run `homelab-deploy cache verify` on the builder, then order it again",
  });
}

function noSpace(needed: number, free: number, minFree: number): HomelabError {
  const mib = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
  return new HomelabError(
    "failed",
    `the store needs ${mib(needed)} (with ${mib(minFree)} to stay free), and has ${mib(free)}`,
    {
      code: "NO_SPACE",
      hint: "free some on the host: nix-collect-garbage --delete-older-than 30d",
    },
  );
}
