// What can be done about what is not served. Pure.
import type { StorePath } from "../protocol/names.ts";
import type { Finding } from "./finding.ts";
import type { PathProblem } from "../narinfo/path-problem.ts";

export interface RepairMeans {
  /** A secret key is there, and its public one is trusted. */
  readonly canSign: boolean;
  /** The cache serves a store that is not this one, and it can be written to. */
  readonly canCopy: boolean;
}

export interface Repairs {
  /** Gets a signature. */
  readonly sign: readonly StorePath[];
  /** Its content here is checked, and brought back where it is damaged. */
  readonly restore: readonly StorePath[];
  /** Is copied to the cache, and replaces what is there. */
  readonly copy: readonly StorePath[];
  /** Nothing can be done here, and why. */
  readonly left: ReadonlyMap<StorePath, string>;
}

export function decideRepairs(findings: readonly Finding[], means: RepairMeans): Repairs {
  const chosen = findings.map(({ path, problem }) => ({ path, repair: decideRepair(problem, means) }));
  const of = (wanted: Repair["type"]): readonly StorePath[] =>
    chosen.filter(({ repair }) => repair.type === wanted).map(({ path }) => path);
  const left = chosen.flatMap(({ path, repair }) =>
    repair.type === "none" ? [[path, repair.reason] as const] : [],
  );
  return { sign: of("sign"), restore: of("restore"), copy: of("copy"), left: new Map(left) };
}

type Repair =
  | { readonly type: "sign" | "restore" | "copy" }
  | { readonly type: "none"; readonly reason: string };

function decideRepair(problem: PathProblem, { canSign, canCopy }: RepairMeans): Repair {
  const none = (reason: string): Repair => ({ type: "none", reason });
  if (problem === "unanswered") return none("the cache does not answer");
  // The path may be sound: who may not see it changes nothing about it.
  if (problem === "refused") return none("the cache refuses it: see cache.netrcFile");
  // It is signed on the way. What the cache says about a path is never signed as it is: it could be anything.
  if (canCopy) return { type: "copy" };
  switch (problem) {
    case "unsigned":
    case "wrongly-signed":
      return canSign
        ? { type: "sign" }
        : none("it cannot be signed: give --key-file, or set cache.secretKeyFile");
    // If the cache serves this store, a path that is damaged there is damaged here too.
    case "corrupt":
      return { type: "restore" };
    case "missing":
    case "stale":
      return none("it cannot be put there: set cache.storeUrl where the cache does not serve this store");
  }
}
