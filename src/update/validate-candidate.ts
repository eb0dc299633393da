// Whether a candidate may land: its hosts, and those of the repos downstream of it, judged by the base.
import { hasCode, HomelabError } from "../base/errors.ts";
import type { BuildId, Commit } from "../protocol/names.ts";
import { buildIdFor } from "./build-id.ts";
import type { Candidate } from "./candidate.ts";
import { decideOutcome } from "./judge/decide-classes.ts";
import { judgeDownstream, type DownstreamVerdict } from "./judge/judge-downstream.ts";
import { unknownBuild } from "../protocol/build-state.ts";
import { judgeRevision, type Judged } from "./judge/judge-revision.ts";
import type { Judging, Run, Source, Validated } from "./update.ts";

export interface ValidateOptions {
  readonly run: Run;
  readonly source: Pick<Source, "repo" | "upstream">;
  readonly judging: Judging;
}

/**
 * What an update is compared with: its base, with a lock that fits its flake.nix. A lock that does not would keep every
 * host from building, and so excuse whatever the update breaks.
 */
export interface Standing {
  readonly commit: Commit;
  /** Its hosts, or why they cannot be listed if its flake is to blame: an update may fix that. */
  readonly inventory: readonly string[] | { readonly failure: string };
}

/** @throws HomelabError when it is unknown. */
export async function readStanding(
  { source: { upstream } }: { readonly source: Pick<Source, "upstream"> },
  commit: Commit,
  signal: AbortSignal,
): Promise<Standing> {
  try {
    return { commit, inventory: await upstream.listHosts(commit, signal) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HomelabError && error.kind === "failed") {
      return { commit, inventory: { failure: error.message } };
    }
    throw error;
  }
}

export async function validateCandidate(
  options: ValidateOptions,
  candidate: Candidate,
  standing: Standing,
  signal: AbortSignal,
): Promise<Validated> {
  const { run, source, judging } = options;
  const { repo } = source;
  const { builds, kept, policy, trigger } = judging;
  const { commit } = candidate;
  const id = await buildIdFor({ ...run, builds }, { commit }, signal);
  const judgement = {
    repo,
    before: { commit: standing.commit },
    after: { commit },
    id,
    requestedBy: `update ${run.journal.last("started")?.run ?? ""} (${trigger})`,
    inventory: standing.inventory,
  };
  const judged = await judgeRevision({ ...run, builds, kept }, judgement, signal).catch(
    async (error: unknown) => withoutHosts(options, { commit, id, standing }, error, signal),
  );
  const hasVerdict = decideOutcome(judged.classes, policy).type !== "infra";
  // Without a verdict on its own hosts it ends here, whatever the others say.
  const downstream = hasVerdict ? await judgeAll(options, { commit, base: standing.commit }, signal) : [];
  const outcome = decideOutcome(judged.classes, policy, downstream);
  run.log.info({ commit, build: judged.state.id, outcome: outcome.type }, "validated the candidate");
  if (outcome.type !== "infra")
    await run.journal.append({ step: "validated", commit, build: judged.state.id });
  // The state of an earlier run has that run's build.
  return { candidate, ...judged, isRemembered: judged.state.id !== id, downstream, outcome };
}

/** Builders refuse what has no hosts. Where the base had some, the update has taken them away. */
async function withoutHosts(
  { source: { upstream } }: ValidateOptions,
  { commit, id, standing }: { readonly commit: Commit; readonly id: BuildId; readonly standing: Standing },
  error: unknown,
  signal: AbortSignal,
): Promise<Judged> {
  signal.throwIfAborted();
  const { inventory } = standing;
  if (!hasCode(error, "NO_VERDICT") || "failure" in inventory || inventory.length === 0) throw error;
  if ((await upstream.listHosts(commit, signal)).length > 0) throw error;
  return {
    state: unknownBuild(id),
    classes: new Map(inventory.map((host) => [host, "missing-host"] as const)),
  };
}

async function judgeAll(
  { run, source, judging }: ValidateOptions,
  candidate: Pick<Candidate, "commit" | "base">,
  signal: AbortSignal,
): Promise<readonly DownstreamVerdict[]> {
  const options = { ...run, repo: source.repo, builds: judging.builds, kept: judging.kept };
  const verdicts: DownstreamVerdict[] = [];
  for (const downstream of judging.downstream) {
    verdicts.push(await judgeDownstream(options, downstream, candidate, signal));
  }
  return verdicts;
}
