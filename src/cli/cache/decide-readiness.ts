// Is all of a commit built? From the event logs alone.
import { firstLine } from "../../base/lines.ts";
import { isOver, statusOf, type BuildState } from "../../protocol/build-state.ts";
import { fullName, type Commit } from "../../protocol/names.ts";
import { isOwnFault, isSuccess } from "../../protocol/verdicts.ts";
import type { CacheTarget } from "./cache-targets.ts";

export type Readiness =
  /** Every host of the commit is built: these are their systems. */
  | { readonly type: "built"; readonly systems: readonly CacheTarget[] }
  /** Hosts failed on their own, and would fail again. */
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "waiting"; readonly reason: string };

/**
 * Only a build of every host proves that everything is built. The newest conclusive one counts: a build that ended with
 * an infrastructure fault is not conclusive, and another may follow.
 *
 * @param builds the newest first
 */
export function decideReadiness(builds: readonly BuildState[], commit: Commit): Readiness {
  const short = commit.slice(0, 7);
  const whole = builds.filter(
    (build) => build.complete === true && build.sources.some((source) => isOf(source, commit)),
  );
  let waiting: string | undefined;
  for (const build of whole) {
    const readiness = readinessOf(build, commit);
    if (readiness.type !== "waiting") return readiness;
    waiting ??= readiness.reason;
  }
  return { type: "waiting", reason: waiting ?? `no build of all hosts at ${short} was accepted yet` };
}

/** With overrides it is built from inputs that are not those of the commit. */
const isOf = ({ commit, overrides }: BuildState["sources"][number], wanted: Commit): boolean =>
  commit === wanted && overrides === undefined;

function readinessOf(build: BuildState, commit: Commit): Readiness {
  const repos = new Set(build.sources.filter((source) => isOf(source, commit)).map(({ repo }) => repo));
  const hosts = [...build.hosts.values()].filter(({ repo }) => repos.has(repo));
  const failed = hosts.filter(({ finished }) => finished !== undefined && isOwnFault(finished.verdict));
  const [first] = failed;
  if (first !== undefined) {
    const more = failed.length === 1 ? "" : ` (and ${failed.length - 1} more)`;
    return {
      type: "failed",
      reason: `${fullName(first)} is ${first.finished?.verdict} in build ${build.id}: ${firstLine(first.finished?.reason ?? "")}${more}`,
    };
  }
  const systems = hosts.flatMap(({ repo, host, finished }) =>
    finished?.outPath !== undefined && isSuccess(finished.verdict)
      ? [{ name: fullName({ repo, host }), path: finished.outPath }]
      : [],
  );
  // A build of no hosts does not count.
  if (systems.length === hosts.length && systems.length > 0) return { type: "built", systems };
  return {
    type: "waiting",
    reason: isOver(build)
      ? `build ${build.id} ended as ${statusOf(build)}, with ${systems.length} of ${hosts.length} hosts built`
      : `build ${build.id} has built ${systems.length} of ${hosts.length} hosts`,
  };
}
