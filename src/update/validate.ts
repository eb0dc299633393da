// Building a commit for its verdicts, by whoever builds: the same builds that people ask for.
import { HomelabError } from "../base/errors.ts";
import type { BuildReader } from "../bus/bus.ts";
import { applyEvent, isOver, unknownBuild, type BuildState } from "../protocol/build-state.ts";
import type { BuildId, Commit, HostName, RepoName } from "../protocol/names.ts";

export interface BuildWish {
  /** The same id again attaches to the same build. */
  readonly id: BuildId;
  readonly repo: RepoName;
  readonly commit: Commit;
  /** Without it all hosts of the commit. */
  readonly hosts?: readonly HostName[];
  readonly requestedBy: string;
}

/**
 * Asks for the build and waits until it is over.
 *
 * @throws HomelabError `unavailable` `NO_VERDICT` when it ends without one: rejected, expired, cancelled.
 */
export async function buildCommit(
  builds: BuildReader,
  wish: BuildWish,
  signal: AbortSignal,
): Promise<BuildState> {
  const { id, repo, commit, hosts, requestedBy } = wish;
  await builds.submit(
    { repo, host: "all" },
    {
      id,
      rev: commit,
      priority: "batch",
      trigger: "update",
      requestedBy: requestedBy.slice(0, 120),
      ...(hosts === undefined ? {} : { hosts: [...hosts] }),
    },
    signal,
  );
  let state = unknownBuild(id);
  for await (const message of builds.follow(id, {}, signal)) {
    if (message.type === "event") state = applyEvent(state, message.event);
  }
  if (!isOver(state)) throw noVerdict(state, "its events ended");
  const noVerdicts: readonly BuildState["status"][] = ["rejected", "expired", "cancelled"];
  if (!noVerdicts.includes(state.status)) return state;
  throw noVerdict(state, `it was ${state.status}${state.reason === undefined ? "" : `: ${state.reason}`}`);
}

const noVerdict = (state: BuildState, why: string): HomelabError =>
  new HomelabError("unavailable", `the build ${state.id} gave no verdict: ${why}`, {
    code: "NO_VERDICT",
    hint: `see homelab-deploy builds show ${state.id}; the next run goes on`,
  });
