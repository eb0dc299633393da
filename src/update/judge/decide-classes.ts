// What the candidate did to each host, compared with the commit that it stands on. Pure.
import type { BuildState, HostState } from "../../protocol/build-state.ts";
import type { HostName } from "../../protocol/names.ts";
import { isOwnFault, isSuccess } from "../../protocol/verdicts.ts";

/**
 * - `ok`: builds; `unchanged`: builds, and is the same derivation as before; `fixed`: builds, and did not before
 * - `regression`: does not build any more; `eval-error`: does not evaluate any more
 * - `pre-existing`: does not build, and did not before either
 * - `missing-host`: was in the inventory before, and is not any more
 * - `infra`: has no verdict of its own; or it fails, and it is unknown whether it did before
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

/** What is known about the base. Of a host that builds now there may be nothing: its base was not built for this. */
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

/** Hosts of the candidate that build, whose base is only known where it was built before. */
export const greenHosts = (candidate: BuildState): HostName[] =>
  [...candidate.hosts.values()]
    .filter(({ finished }) => finished !== undefined && isSuccess(finished.verdict))
    .map(({ host }) => host);

export function classifyHosts(candidate: BuildState, base: BaseKnowledge): Classes {
  const classes = new Map<string, HostClass>();
  for (const host of candidate.hosts.values()) {
    const before = base.hosts.get(host.host) ?? (base.inventory.includes(host.host) ? "unknown" : undefined);
    classes.set(host.host, classOf(host, before));
  }
  // What nobody could list is not gone.
  const absent = hostsNotListed(candidate) ? "eval-error" : "missing-host";
  const skipped = new Set(candidate.skipped.map(({ host }) => host));
  for (const name of base.inventory) {
    if (!classes.has(name) && !skipped.has(name)) classes.set(name, absent);
  }
  return classes;
}

/** The hosts of its flake cannot be listed, and the flake is to blame. */
export const hostsNotListed = ({ status, hosts }: BuildState): boolean =>
  status === "failed" && hosts.size === 0;

/** @param base undefined for a host that is new */
function classOf({ finished, evaluated }: HostState, base: HostState | "unknown" | undefined): HostClass {
  const verdict = finished?.verdict;
  if (verdict === undefined || !(isOwnFault(verdict) || isSuccess(verdict))) return "infra";
  const before = base === "unknown" ? undefined : base?.finished?.verdict;
  if (isOwnFault(verdict)) {
    if (before !== undefined && isOwnFault(before)) return "pre-existing";
    if (base !== undefined && !(before !== undefined && isSuccess(before))) return "infra";
    return verdict === "eval-failed" ? "eval-error" : "regression";
  }
  if (before !== undefined && isOwnFault(before)) return "fixed";
  const isSame =
    base !== "unknown" && evaluated !== undefined && base?.evaluated?.drvPath === evaluated.drvPath;
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
  /** No verdict on the update: the infrastructure has to be queried again. */
  | { readonly type: "infra"; readonly hosts: readonly string[] }
  | {
      readonly type: "propose";
      readonly label: "build-failure" | "needs-review";
      readonly hosts: readonly string[];
    };

/** What a repo downstream comes to. */
export interface DownstreamClasses {
  readonly repo: string;
  readonly required: boolean;
  readonly classes: Classes;
}

/**
 * Landing needs a verdict for every host, and at least one host. Only required repos downstream count, and in these only
 * what was not broken before: old breakage is theirs to fix, whatever the policy here.
 */
export function decideOutcome(
  classes: Classes,
  policy: Policy,
  downstream: readonly DownstreamClasses[] = [],
): Outcome {
  const required = downstream.filter((each) => each.required);
  const requiredHosts = (wanted: (hostClass: HostClass) => boolean): string[] =>
    required.flatMap(({ repo, classes: theirs }) =>
      [...theirs].flatMap(([host, hostClass]) => (wanted(hostClass) ? [`${repo}/${host}`] : [])),
    );
  const of = (...wanted: readonly HostClass[]): string[] =>
    [...classes].filter(([, hostClass]) => wanted.includes(hostClass)).map(([host]) => host);
  const infra = [...of("infra"), ...requiredHosts((hostClass) => hostClass === "infra")];
  const isEmpty = [classes, ...required.map((each) => each.classes)].some(({ size }) => size === 0);
  if (infra.length > 0 || isEmpty) return { type: "infra", hosts: infra };
  const broken = [...brokenHosts(classes), ...requiredHosts((hostClass) => brokenClasses.has(hostClass))];
  if (broken.length > 0) return { type: "propose", label: "build-failure", hosts: broken };
  const old = of("pre-existing");
  if (old.length > 0 && policy.preExisting === "block")
    return { type: "propose", label: "needs-review", hosts: old };
  return { type: "land" };
}
