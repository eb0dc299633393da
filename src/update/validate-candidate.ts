// Whether a candidate may land: its hosts, and those of the repos downstream of it, judged by the base.
import { buildIdFor } from "./build-id.ts";
import type { Candidate } from "./candidate.ts";
import { decideOutcome } from "./judge/decide-classes.ts";
import { judgeDownstream, type DownstreamVerdict } from "./judge/judge-downstream.ts";
import { judgeRevision } from "./judge/judge-revision.ts";
import type { UpdateOptions, Validated } from "./update.ts";

export async function validateCandidate(
  options: UpdateOptions,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<Validated> {
  const { journal, repo, policy, upstream, log, trigger } = options;
  const { commit, base } = candidate;
  const id = await buildIdFor(options, { commit }, signal);
  const judgement = {
    repo,
    before: { commit: base },
    after: { commit },
    id,
    requestedBy: `update ${journal.last("started")?.run ?? ""} (${trigger})`,
    inventory: async () => upstream.listHosts(base, signal),
  };
  const judged = await judgeRevision(options, judgement, signal);
  const hasVerdict = decideOutcome(judged.classes, policy).type !== "infra";
  // Without a verdict on its own hosts it ends here, whatever the others say.
  const downstream = hasVerdict ? await judgeAll(options, candidate, signal) : [];
  const outcome = decideOutcome(judged.classes, policy, downstream);
  log.info({ commit, build: id, outcome: outcome.type }, "validated the candidate");
  if (outcome.type !== "infra") await journal.append({ step: "validated", commit, build: id });
  return { candidate, ...judged, downstream, outcome };
}

async function judgeAll(
  options: UpdateOptions,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<readonly DownstreamVerdict[]> {
  const verdicts: DownstreamVerdict[] = [];
  for (const downstream of options.downstream) {
    verdicts.push(await judgeDownstream(options, downstream, candidate, signal));
  }
  return verdicts;
}
