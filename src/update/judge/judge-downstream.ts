// Hosts of other repos that have the updated one as an input, built as if that input were the candidate. Their repo
// stays at one commit, so that only our change varies; nothing is ever pushed there.
import { HomelabError, isBug, messageOf } from "../../base/errors.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import { isHostName, type Commit, type HostName, type RepoName } from "../../protocol/names.ts";
import type { FlakeInput } from "../../protocol/overrides.ts";
import type { Candidate } from "../candidate.ts";
import type { Classes, HostClass } from "./decide-classes.ts";
import { buildIdFor } from "../build-id.ts";
import type { Journal } from "../journal.ts";
import { judgeRevision, type JudgeOptions, type OverriddenCommit } from "./judge-revision.ts";

/** A repo downstream of the updated one. */
export interface Downstream {
  readonly repo: RepoName;
  /** Its input that is the updated repo. */
  readonly input: FlakeInput;
  /** All hosts if absent. */
  readonly hosts?: readonly HostName[];
  /** Whether breaking it keeps the update from landing; otherwise it is only told. */
  readonly required: boolean;
  /** The tip of its branch. */
  readonly resolve: (signal: AbortSignal) => Promise<Commit>;
  /**
   * Attributes of `nixosConfigurations` at a commit of it, with its input at a commit of the updated repo.
   * @throws HomelabError `failed` when they do not evaluate; others when it is unknown.
   */
  readonly listHosts: (commit: Commit, input: Commit, signal: AbortSignal) => Promise<readonly string[]>;
}

export interface DownstreamVerdict extends Pick<Downstream, "repo" | "input" | "required"> {
  readonly commit?: Commit;
  /** By host; `*` stands for all of them if they cannot be listed, or it is unknown. */
  readonly classes: Classes;
  /** Why hosts were not built, in a line. */
  readonly reason?: string;
  readonly state?: BuildState;
  readonly baseState?: BuildState;
}

/** How many hosts decide about an update: its own, and those of required repos downstream. */
export const gatedHosts = ({
  classes,
  downstream,
}: {
  readonly classes: Classes;
  readonly downstream: readonly Pick<DownstreamVerdict, "required" | "classes">[];
}): number =>
  downstream.filter(({ required }) => required).reduce((sum, each) => sum + each.classes.size, classes.size);

/** All of its hosts, if they cannot be told apart. */
const allHosts = "*";

export interface DownstreamOptions extends JudgeOptions {
  /** The updated one. */
  readonly repo: RepoName;
  readonly journal: Journal;
}

/** Does not throw where the downstream repo cannot be judged: whether that matters is for the decision. */
export async function judgeDownstream(
  options: DownstreamOptions,
  downstream: Downstream,
  candidate: Pick<Candidate, "commit" | "base">,
  signal: AbortSignal,
): Promise<DownstreamVerdict> {
  const { repo, input, required } = downstream;
  const verdict = { repo, input, required };
  try {
    const commit = await pinDownstream(options.journal, downstream, signal);
    return { ...verdict, commit, ...(await judgeAt(options, downstream, commit, candidate, signal)) };
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    options.log.warn({ repo, err: error }, "a downstream repo could not be judged");
    return { ...verdict, ...everywhere("infra", messageOf(error)) };
  }
}

async function judgeAt(
  options: DownstreamOptions,
  downstream: Downstream,
  commit: Commit,
  candidate: Pick<Candidate, "commit" | "base">,
  signal: AbortSignal,
): Promise<Omit<DownstreamVerdict, keyof Pick<Downstream, "repo" | "input" | "required">>> {
  const { repo } = downstream;
  const before = await listed(downstream, commit, candidate.base, signal);
  const after = await listed(downstream, commit, candidate.commit, signal);
  if ("failure" in after) {
    if ("failure" in before) return everywhere("pre-existing", after.failure);
    return { classes: new Map(before.map((host) => [host, "eval-error"])), reason: after.failure };
  }
  const gone = "failure" in before ? [] : before;
  const unknown = downstream.hosts?.find((host) => !after.includes(host) && !gone.includes(host));
  if (unknown !== undefined) return everywhere("infra", `it has no host ${unknown}`);
  const hosts = after.filter(isHostName);
  if (hosts.length === 0) {
    if (gone.length === 0) return everywhere("infra", "it has no hosts");
    return { classes: new Map(gone.map((host) => [host, "missing-host"])) };
  }
  const id = await buildIdFor(options, { commit: candidate.commit, downstream: repo }, signal);
  return judgeRevision(
    options,
    {
      repo,
      before: overridden(options.repo, downstream, commit, candidate.base),
      after: overridden(options.repo, downstream, commit, candidate.commit),
      id,
      hosts: downstream.hosts && hosts,
      requestedBy: `update of ${options.repo}: does ${repo} build with it?`,
      inventory: before,
    },
    signal,
  );
}

/** The same commit for all queries of a run. */
async function pinDownstream(
  journal: Journal,
  { repo, resolve }: Downstream,
  signal: AbortSignal,
): Promise<Commit> {
  const pinned = journal.entries.find((entry) => entry.step === "downstream" && entry.repo === repo);
  if (pinned?.step === "downstream") return pinned.commit;
  const commit = await resolve(signal);
  await journal.append({ step: "downstream", repo, commit });
  return commit;
}

/** A commit of the downstream repo with its input at a commit of the updated one. */
export const overridden = (
  updated: RepoName,
  { input }: Pick<Downstream, "input">,
  commit: Commit,
  at: Commit,
): OverriddenCommit => ({ commit, overrides: [{ input, repo: updated, commit: at }] });

/** The hosts of it that count, or why they cannot be listed if the repo itself is to blame. */
async function listed(
  { hosts, listHosts }: Downstream,
  commit: Commit,
  input: Commit,
  signal: AbortSignal,
): Promise<readonly string[] | { readonly failure: string }> {
  try {
    const names = await listHosts(commit, input, signal);
    return hosts === undefined ? names : names.filter((name) => hosts.some((host) => host === name));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HomelabError && error.kind === "failed") return { failure: error.message };
    throw error;
  }
}

const everywhere = (hostClass: HostClass, reason: string): Pick<DownstreamVerdict, "classes" | "reason"> => ({
  classes: new Map([[allHosts, hostClass]]),
  reason,
});
