// What builds of before said about a revision, without building anything.
import { isBug } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { hasLostEvents, type BuildReader } from "../../bus/bus.ts";
import { foldEvents, type BuildState, type HostState } from "../../protocol/build-state.ts";
import type { BuildId, HostName, RepoName } from "../../protocol/names.ts";
import { variantOf, type Revision } from "../../protocol/overrides.ts";
import { isOwnFault, isSuccess } from "../../protocol/verdicts.ts";

export interface RecordOptions {
  readonly builds: BuildReader;
  readonly log: Log;
}

/** How many builds are read, newest first. */
const lookedAt = 200;

/**
 * The newest verdict on each of these hosts at exactly this revision, from the builds that are still recorded. Hosts
 * without one are left out, and so are those that only the infrastructure failed.
 */
export async function recordedHosts(
  { builds, log }: RecordOptions,
  at: Revision & { readonly repo: RepoName },
  hosts: readonly HostName[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, HostState>> {
  const found = new Map<string, HostState>();
  if (hosts.length === 0) return found;
  try {
    for (const id of await builds.acceptedBuilds(lookedAt, signal)) {
      const state = await readState(builds, id, signal);
      if (state === undefined) continue;
      const isAbout = state.sources.some(
        ({ repo, commit, overrides = [] }) =>
          repo === at.repo && commit === at.commit && variantOf(overrides) === at.variant,
      );
      if (!isAbout) continue;
      for (const host of state.hosts.values()) {
        const verdict = host.finished?.verdict;
        if (host.repo !== at.repo || !hosts.includes(host.host) || verdict === undefined) continue;
        if (!found.has(host.host) && (isOwnFault(verdict) || isSuccess(verdict))) found.set(host.host, host);
      }
      if (found.size === hosts.length) break;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    log.warn({ err: error }, "earlier builds of the base could not be read");
  }
  return found;
}

/** Undefined for a build that has lost events: it says nothing, and others still do. */
async function readState(
  builds: BuildReader,
  id: BuildId,
  signal: AbortSignal,
): Promise<BuildState | undefined> {
  try {
    return foldEvents(id, await builds.readEvents(id, 0, signal));
  } catch (error) {
    if (!hasLostEvents(error)) throw error;
    return undefined;
  }
}
