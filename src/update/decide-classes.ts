// What the candidate did to each host, compared with the commit that it stands on. Pure.
import type { BuildState, HostState } from "../protocol/build-state.ts";
import type { HostName } from "../protocol/names.ts";
import { isOwnFault, isSuccess } from "../protocol/verdicts.ts";

/**
 * - `ok`: builds; `unchanged`: builds, and is the same derivation as before; `fixed`: builds, and did not before
 * - `regression`: does not build any more; `eval-error`: does not evaluate any more
 * - `pre-existing`: does not build, and did not before either
 * - `missing-host`: was in the inventory before, and is not any more
 * - `infra`: has no verdict of its own
 */
export const hostClasses = [
  "ok",
  "unchanged",
  "fixed",
  "regression",
  "eval-error",
  "pre-existing",
  "missing-host",
  "infra",
] as const;
export type HostClass = (typeof hostClasses)[number];

/** What is known of the base. A host without a state there was not asked for, because it builds now. */
export interface BaseKnowledge {
  readonly inventory: readonly string[];
  readonly hosts: ReadonlyMap<string, HostState>;
}

export type Classes = ReadonlyMap<string, HostClass>;

export const brokenClasses: ReadonlySet<HostClass> = new Set(["regression", "eval-error", "missing-host"]);

/** Failing hosts of the candidate, which the base has to be asked about. */
export const hostsToCompare = (candidate: BuildState): HostName[] =>
  [...candidate.hosts.values()]
    .filter(({ finished }) => finished !== undefined && isOwnFault(finished.verdict))
    .map(({ host }) => host);

export function classifyHosts(candidate: BuildState, base: BaseKnowledge): Classes {
  const classes = new Map<string, HostClass>();
  for (const host of candidate.hosts.values())
    classes.set(host.host, classOf(host, base.hosts.get(host.host)));
  const skipped = new Set(candidate.skipped.map(({ host }) => host));
  for (const name of base.inventory) {
    if (!classes.has(name) && !skipped.has(name)) classes.set(name, "missing-host");
  }
  return classes;
}

function classOf({ finished, evaluated }: HostState, base: HostState | undefined): HostClass {
  const verdict = finished?.verdict;
  if (verdict === undefined || !(isOwnFault(verdict) || isSuccess(verdict))) return "infra";
  const before = base?.finished?.verdict;
  if (isOwnFault(verdict)) {
    if (before !== undefined && isOwnFault(before)) return "pre-existing";
    return verdict === "eval-failed" ? "eval-error" : "regression";
  }
  if (before !== undefined && isOwnFault(before)) return "fixed";
  const isSame = evaluated !== undefined && base?.evaluated?.drvPath === evaluated.drvPath;
  return isSame || verdict === "unchanged" ? "unchanged" : "ok";
}

/** Hosts that the update breaks or takes away. */
export const brokenHosts = (classes: Classes): readonly string[] =>
  [...classes].flatMap(([host, hostClass]) => (brokenClasses.has(hostClass) ? [host] : []));

export interface Policy {
  /** Whether hosts that did not build before either keep an update from landing. */
  readonly preExisting: "block" | "allow";
}

export type Outcome =
  | { readonly type: "land" }
  /** Nothing is said about the update: the infrastructure has to be asked again. */
  | { readonly type: "infra"; readonly hosts: readonly string[] }
  | {
      readonly type: "propose";
      readonly label: "build-failure" | "needs-review";
      readonly hosts: readonly string[];
    };

/** Landing needs a verdict of every host; no host at all is no success. */
export function decideOutcome(classes: Classes, policy: Policy): Outcome {
  const of = (...wanted: readonly HostClass[]): string[] =>
    [...classes].filter(([, hostClass]) => wanted.includes(hostClass)).map(([host]) => host);
  const infra = of("infra");
  if (infra.length > 0 || classes.size === 0) return { type: "infra", hosts: infra };
  const broken = brokenHosts(classes);
  if (broken.length > 0) return { type: "propose", label: "build-failure", hosts: broken };
  const old = of("pre-existing");
  if (old.length > 0 && policy.preExisting === "block")
    return { type: "propose", label: "needs-review", hosts: old };
  return { type: "land" };
}
