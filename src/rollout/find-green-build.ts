// The newest build of a branch, if all of it may be rolled out: it succeeded, and each of its hosts was stated, which only what
// the cache is proven to serve is.
import type { BuildReader } from "../bus/bus.ts";
import { readBuild } from "../fleet/find-build.ts";
import { readSummaries } from "../fleet/read-results.ts";
import { isOfTip } from "../protocol/events.ts";
import type { BranchName, BuildId, Commit, RepoName } from "../protocol/names.ts";
import type { GreenBuild } from "./decide-start.ts";

/** Builds of pull requests and of other repos are between those of the branch. */
const lookedAt = 50;

export interface GreenBuilds {
  /** Undefined where the newest one is red, still runs, or is not stated as a whole. */
  newest(signal: AbortSignal): Promise<GreenBuild | undefined>;
}

export function createGreenBuilds(reader: BuildReader, repo: RepoName, branch: BranchName): GreenBuilds {
  /** A build that is over does not change. */
  const known = new Map<BuildId, Judgement>();

  async function judge(id: BuildId, signal: AbortSignal): Promise<Judgement> {
    const { hosts, complete } = await readBuild(reader, id, signal);
    if (complete !== true) return "of-some";
    const ours = [...hosts.values()].filter((host) => host.repo === repo);
    const isStated = ours.length > 0 && ours.every(({ finished }) => finished?.statement !== undefined);
    return isStated ? "green" : "not-stated";
  }

  return {
    async newest(signal) {
      const ids = await reader.acceptedBuilds(lookedAt, signal);
      let commit: Commit | undefined;
      for (const { id, sources, status } of await readSummaries(reader, ids, new Map(), signal)) {
        const source = sources.find((each) => each.repo === repo && each.branch === branch && isOfTip(each));
        if (source === undefined) continue;
        if (commit !== undefined && commit !== source.commit) return undefined;
        commit = source.commit;
        const judged = known.get(id) ?? (await judge(id, signal));
        if (status !== "queued" && status !== "running") known.set(id, judged);
        if (judged !== "of-some" && status !== "succeeded") return undefined;
        if (judged === "green") return { build: id, commit };
        // A build of some of the hosts says nothing about the others: the one before it may.
        if (judged === "not-stated") return undefined;
      }
      return undefined;
    },
  };
}

type Judgement = "green" | "not-stated" | "of-some";
