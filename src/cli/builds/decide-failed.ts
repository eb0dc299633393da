// What `build --failed` asks for: the hosts of an earlier build that it did not build, and where they are built from.
import { HomelabError } from "../../base/errors.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import { isOwnFault, isSuccess } from "../../protocol/verdicts.ts";
import type { BuildRequest } from "../../protocol/request.ts";
import type { BuildSpecification } from "./decide-request.ts";

export interface FailedSpecification {
  readonly hosts: readonly string[];
  readonly specification: Pick<BuildSpecification, "repo" | "branch" | "rev">;
  /** There is no option for them. */
  readonly overrides: BuildRequest["overrides"];
}

/**
 * A host's own fault needs a new commit, so the branch is built as it is now. What was the fault of none of them is
 * built from the same commit.
 *
 * @returns undefined where nothing failed
 * @throws HomelabError `usage` when one request cannot ask for all of them
 */
export function decideFailed(state: BuildState, repo: string | undefined): FailedSpecification | undefined {
  const failed = [...state.hosts.values()].flatMap(({ finished, ...host }) =>
    finished === undefined ||
    isSuccess(finished.verdict) ||
    finished.verdict === "skipped" ||
    (repo !== undefined && host.repo !== repo)
      ? []
      : [{ ...host, verdict: finished.verdict }],
  );
  if (failed.length === 0) return undefined;
  const repos = new Set(failed.map((host) => host.repo));
  const sources = state.sources.filter((source) => repos.has(source.repo));
  const [source] = sources;
  const hosts = failed.map(({ host }) => host);
  if (source === undefined || sources.length > 1) {
    const branches = new Set(sources.map(({ branch }) => branch));
    if (branches.has(undefined)) throw severalRepos([...repos]);
    const [branch] = branches;
    // Where they differ, each is the one that is configured for its repo.
    return { hosts, specification: branches.size === 1 ? { branch } : {}, overrides: undefined };
  }
  const { branch, commit, overrides } = source;
  const isOwn = failed.some(({ verdict }) => isOwnFault(verdict));
  return {
    hosts,
    specification: { repo: source.repo, ...(isOwn && branch !== undefined ? { branch } : { rev: commit }) },
    overrides,
  };
}

const severalRepos = (repos: readonly string[]): HomelabError =>
  new HomelabError("usage", `what failed is at commits of ${repos.join(" and ")}`, {
    code: "BAD_ARGUMENTS",
    hint: `one repo at a time: add --repo ${repos[0] ?? "NAME"}`,
  });
