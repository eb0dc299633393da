// Building a commit for its verdicts, by whoever builds: the same builds that people ask for.
import { isDeepStrictEqual } from "node:util";
import { HomelabError, internalCode } from "../../base/errors.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildEvent } from "../../protocol/events.ts";
import type { KeptBuilds } from "../kept/kept-builds.ts";
import {
  applyEvent,
  isOver,
  statusOf,
  unknownBuild,
  wasDenied,
  type BuildState,
} from "../../protocol/build-state.ts";
import type { BuildId, Commit, HostName, RepoName } from "../../protocol/names.ts";
import type { Override } from "../../protocol/overrides.ts";
import { buildTaken, requestDigest } from "../../protocol/request-digest.ts";

export interface BuildSpecification {
  /** The same id again attaches to the same build. */
  readonly id: BuildId;
  readonly repo: RepoName;
  readonly commit: Commit;
  readonly overrides?: readonly Override[];
  /** All hosts of the commit if absent. */
  readonly hosts?: readonly HostName[];
  readonly requestedBy: string;
}

export interface BuildCommitOptions {
  readonly builds: BuildReader;
  /** What earlier runs were told; without it everything is asked for. */
  readonly kept?: KeptBuilds;
}

/**
 * Asks for the build and waits until it is over, unless an earlier run was told all of it.
 *
 * @returns the state of the build that said so: its id may be another one.
 * @throws HomelabError `unavailable` `NO_VERDICT` when it ends without one: rejected, expired, cancelled; or when it
 *   was built without the overrides. `refused` `GIT_DENIED` or `INPUT_DENIED` when it was rejected because a remote
 *   refuses the builder. `bug` `INTERNAL` when a bug in homelab-deploy ended it or one of its hosts.
 */
export async function buildCommit(
  { builds, kept }: BuildCommitOptions,
  specification: BuildSpecification,
  signal: AbortSignal,
): Promise<BuildState> {
  const { id, repo, commit, overrides, hosts, requestedBy } = specification;
  const target = { repo, host: "all" } as const;
  const request = {
    id,
    rev: commit,
    priority: "batch",
    trigger: "update",
    requestedBy: requestedBy.slice(0, 120),
    overrides: overrides && [...overrides],
    hosts: hosts && [...hosts],
  } as const;
  const about = requestDigest(target, request);
  const before = await kept?.find(about, signal);
  if (before !== undefined) return before;
  await builds.submit(target, request, signal);
  let state = unknownBuild(id);
  const events: BuildEvent[] = [];
  for await (const message of builds.follow(id, {}, signal)) {
    if (message.type !== "event") continue;
    state = applyEvent(state, message.event);
    events.push(message.event);
  }
  if (!isOver(state)) throw noVerdict(state, "its events ended");
  // Somebody else's build under our id, or one of a builder that does not say: then at least of this commit.
  const isOurs = (state.about ?? about) === about;
  const isOfCommit = state.sources.every((source) => source.repo === repo && source.commit === commit);
  if (!isOurs || !isOfCommit) throw buildTaken(id);
  // Whatever else it says: a builder with a bug in it proves nothing, neither for a host nor against one.
  if (statusOf(state) === "internal-error") throw metBug(state);
  // Its repo could not be reached before it had any hosts: that says nothing about them.
  if (state.hosts.size === 0 && state.status === "infra-failed")
    throw noVerdict(state, state.reason ?? "it never had any hosts");
  if (state.rejection !== undefined && wasDenied(state)) throw builderRefused(state.rejection);
  const noVerdicts: readonly BuildState["status"][] = ["rejected", "expired", "cancelled"];
  if (noVerdicts.includes(state.status))
    throw noVerdict(state, `it was ${state.status}${state.reason === undefined ? "" : `: ${state.reason}`}`);
  // A builder that does not know the field ignores it, and builds something else.
  const taken = state.sources.find((source) => source.repo === repo)?.overrides;
  if (state.sources.length > 0 && !isDeepStrictEqual(taken, overrides)) {
    throw noVerdict(state, "the builder does not know overrides: upgrade it to the same release");
  }
  await kept?.keep(about, id, events);
  return state;
}

/** No later try helps before somebody gives the builder access. */
const builderRefused = ({ code, message, hint }: NonNullable<BuildState["rejection"]>): HomelabError =>
  new HomelabError("refused", `the builder is refused: ${message}`, { code, hint });

function metBug(state: BuildState): HomelabError {
  const [host] = [...state.hosts.values()].flatMap(({ finished }) =>
    finished?.code === internalCode ? [finished] : [],
  );
  const why = state.reason ?? host?.reason ?? "";
  return new HomelabError("bug", `a bug in homelab-deploy ended the build ${state.id}`, {
    code: internalCode,
    hint: "please report it with the builder's log, which has the stack",
    cause: why === "" ? undefined : new Error(why),
  });
}

const noVerdict = (state: BuildState, why: string): HomelabError =>
  new HomelabError("unavailable", `the build ${state.id} gave no verdict: ${why}`, {
    code: "NO_VERDICT",
    hint: `see homelab-deploy builds show ${state.id}; the next run retries`,
  });
