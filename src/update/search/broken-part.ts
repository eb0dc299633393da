// What of a broken update is built again to learn why it is broken.
import type { BuildState } from "../../protocol/build-state.ts";
import { isHostName, type HostName, type RepoName } from "../../protocol/names.ts";
import { brokenHosts } from "../judge/decide-classes.ts";
import { overridden, type Downstream, type DownstreamVerdict } from "../judge/judge-downstream.ts";
import type { ProbeOptions } from "./probe-commit.ts";
import type { Judging, Source, Validated } from "../update.ts";

export interface BrokenPart {
  readonly hosts: readonly HostName[];
  readonly state: BuildState;
  /** The build of the base. */
  readonly baseState?: BuildState;
  /** Where these hosts are. */
  readonly place: Pick<ProbeOptions, "repo" | "revisionOf" | "inventory">;
}

/**
 * The hosts of the repo that break; where none does, those of the first required repo downstream. Undefined where
 * none was built, because they cannot even be listed.
 */
export function brokenPart(
  { repo, upstream }: Pick<Source, "repo" | "upstream">,
  { downstream }: Pick<Judging, "downstream">,
  validated: Validated,
): BrokenPart | undefined {
  const { state, baseState, classes } = validated;
  const hosts = brokenHosts(classes).filter(isHostName);
  if (hosts.length > 0) {
    const inventory: ProbeOptions["inventory"] = (commit, signal) => upstream.listHosts(commit, signal);
    return { hosts, state, baseState, place: { repo, revisionOf: (commit) => ({ commit }), inventory } };
  }
  for (const verdict of validated.downstream) {
    const settings = downstream.find((each) => each.repo === verdict.repo);
    const part = settings?.required === true ? downstreamPart(repo, settings, verdict) : undefined;
    if (part !== undefined) return part;
  }
  return undefined;
}

function downstreamPart(
  updated: RepoName,
  settings: Downstream,
  { commit: pinned, classes, state, baseState }: DownstreamVerdict,
): BrokenPart | undefined {
  const hosts = brokenHosts(classes).filter(isHostName);
  if (hosts.length === 0 || state === undefined || pinned === undefined) return undefined;
  return {
    hosts,
    state,
    baseState,
    place: {
      repo: settings.repo,
      revisionOf: (commit) => overridden(updated, settings, pinned, commit),
      inventory: (commit, signal) => settings.listHosts(pinned, commit, signal),
    },
  };
}
