// Says what an update does to the hosts: in a report here, in a pull request, and after it has landed.
import { writeFile } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import { withDeadline } from "../../base/deadline.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { RepoSettings } from "../../config/repo-schema.ts";
import type { Repository } from "../../git/git.ts";
import type { Store } from "../../nix/store.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { RepoName } from "../../protocol/names.ts";
import { redact } from "../../redact/redact.ts";
import type { Journal } from "../../update/journal.ts";
import { composeEffect } from "../../update/landed/compose-effect.ts";
import { nothingKnown, type SystemComparison } from "../../update/landed/system-comparison.ts";
import { composeProposal } from "../../update/propose/compose-proposal.ts";
import { lockDigest } from "../../update/propose/pull-request-marker.ts";
import { composeReport } from "../../update/report/compose-report.ts";
import { redactReport } from "../../update/report/redact-report.ts";
import { printBody } from "../../update/report/report-markdown.ts";
import { printReport, type UpdateReport } from "../../update/report/report.ts";
import { registryInputsOf } from "../../update/registry-inputs.ts";
import { unreachedInputs } from "../../update/unreached-inputs.ts";
import type { Describe, Explain, LandedCommit, ProposalContext, Validated } from "../../update/update.ts";
import { compareSystems } from "./compare-systems.ts";
import { lockPathOf } from "../open-repository.ts";

export interface DescriptionParts {
  readonly repo: RepoName;
  readonly settings: RepoSettings;
  readonly repository: Pick<Repository, "readFile">;
  readonly nix: Pick<Store, "validPaths" | "readClosure">;
  readonly builds: BuildReader;
  readonly journal: Journal;
  readonly reportFiles: { readonly markdown: string; readonly json: string };
  readonly secrets: readonly string[];
  /** The forge's limit; undefined without a forge. */
  readonly maxBodyBytes: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** For a proposal, a base that nobody has built yet is waited for so long. */
const proposalMs = 10 * 60_000;
/** The effect of a landed update is announced within this time, whether it is known or not. */
const landedMs = 5 * 60_000;
const mostReportBytes = 1024 * 1024;

export function createDescriptions(parts: DescriptionParts): {
  readonly describe: Describe;
  readonly explain: Explain;
} {
  const { repo, settings, repository, builds, journal, secrets, clock, log } = parts;
  const compared = { repo, builds, nix: parts.nix, clock, log };

  function reportOf(
    validated: Validated,
    context: ProposalContext,
    comparison: SystemComparison,
  ): UpdateReport {
    const run = journal.last("started")?.run ?? "";
    const unavailable = unreachedInputs(journal) ?? [];
    const registry = registryInputsOf(journal);
    const { branch, directory, submodules, update } = settings;
    return composeReport(validated, context, {
      run,
      repo,
      branch,
      comparison,
      unavailable,
      registry,
      flake: { directory, submodules },
      partialLanding: update.partialLanding,
    });
  }

  async function write(report: UpdateReport): Promise<void> {
    const redacted = redactReport(report, secrets);
    await writeFile(parts.reportFiles.markdown, printBody(redacted, "", mostReportBytes));
    await writeFile(parts.reportFiles.json, printReport(redacted));
  }

  const describe: Describe = async (validated, context, signal) => {
    const { base, commit } = validated.candidate;
    const commits = { base, commit, hosts: validated.state.hosts.values() };
    const comparison =
      context.isLanding === true
        ? nothingKnown
        : await compareSystems({ ...compared, buildMs: proposalMs }, commits, signal);
    const report = reportOf(validated, context, comparison);
    await write(report);
    const lock = lockDigest((await repository.readFile(commit, lockPathOf(settings), signal)) ?? "");
    const states = statesOf(validated);
    const { publishLogs } = settings.update;
    const { maxBodyBytes = 60_000 } = parts;
    return composeProposal({ report, lock, states, builds, secrets, publishLogs, maxBodyBytes }, signal);
  };

  /** Whatever cannot be determined within the time is reported as unknown. */
  async function compareLanded(
    { base, commit, validated }: LandedCommit,
    signal: AbortSignal,
  ): Promise<SystemComparison> {
    const hosts = validated?.state.hosts.values();
    const error = (): Error => new DOMException("the systems were not compared in time", "TimeoutError");
    try {
      return await withDeadline({ clock, milliseconds: landedMs, error }, signal, (until) =>
        compareSystems({ ...compared, buildMs: landedMs }, { base, commit, hosts }, until),
      );
    } catch (failure) {
      signal.throwIfAborted();
      log.warn({ commit, err: failure }, "what a landed update changes on the hosts could not be found out");
      const names = [...(validated?.state.hosts.values() ?? [])].map(({ host }) => host);
      const reason = `the systems could not be compared within ${landedMs / 60_000} minutes`;
      return { ...nothingKnown, unknown: names.length === 0 ? [] : [{ reason, hosts: names }] };
    }
  }

  const explain: Explain = async (landed, signal) => {
    const comparison = await compareLanded(landed, signal);
    const { validated, branch, commit } = landed;
    if (validated !== undefined && branch !== undefined) {
      await write({ ...reportOf(validated, { branch }, comparison), landed: commit });
    }
    const { diffs, unchanged, unknown } = comparison;
    const isKnown = diffs.size + unchanged.length + unknown.length > 0;
    return isKnown ? composeEffect(comparison, (text) => redact(text, secrets)) : undefined;
  };

  return { describe, explain };
}

/** The builds with the logs of failures. */
const statesOf = ({ state, downstream }: Validated): readonly BuildState[] => [
  state,
  ...downstream.flatMap((each) => each.state ?? []),
];
