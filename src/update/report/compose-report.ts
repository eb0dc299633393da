// The report of what was validated: from builds, locks and closures to one value.
import { firstLine } from "../../base/lines.ts";
import { type ClosureDiff, mergeDiffs } from "../../nix/store/closure-diff.ts";
import type { Revision } from "../../git/git.ts";
import type { BuildState, HostState } from "../../protocol/build-state.ts";
import type { FinishedHost } from "../../protocol/events.ts";
import type { BranchName, RepoName } from "../../protocol/names.ts";
import { attachmentName } from "../propose/log-attachment.ts";
import type {
  BisectedReport,
  FlakePlace,
  ReportedHost,
  ReportedRevision,
  RootFailure,
  UpdateReport,
} from "./report.ts";
import type { Found, ProposalContext, Validated } from "../update.ts";
import type { BisectedInput } from "../search/bisect-input.ts";
import { isRestGood } from "../search/find-culprits.ts";
import { brokenHosts, hostsNotListed, type Classes } from "../judge/decide-classes.ts";
import { gatedHosts, type DownstreamVerdict } from "../judge/judge-downstream.ts";
import type { SystemComparison } from "../landed/system-comparison.ts";
import type { RegistryInput } from "../../nix/lock/registry-inputs.ts";
import type { UnreachedInput } from "../journal.ts";

export interface ReportFacts {
  readonly run: string;
  readonly repo: RepoName;
  readonly branch: BranchName;
  readonly unavailable: readonly UnreachedInput[];
  readonly registry: readonly RegistryInput[];
  readonly comparison: SystemComparison;
  readonly flake?: FlakePlace;
  /** Whether inputs that build land without those that do not. */
  readonly partialLanding: boolean;
}

/** Its texts are as long as they are, and may have secrets: `redactReport` sees to both. */
export function composeReport(
  validated: Validated,
  context: ProposalContext,
  facts: ReportFacts,
): UpdateReport {
  const { candidate, state, classes, downstream } = validated;
  // Not those that failed before.
  const broken = new Set(brokenHosts(classes));
  const [group = [], ...more] = context.found?.culprits ?? [];
  const culprits = more.length === 0 && group.length === 1 ? group[0] : undefined;
  return {
    v: 1,
    run: facts.run,
    repo: facts.repo,
    branch: facts.branch,
    base: candidate.base,
    candidate: candidate.commit,
    updateBranch: context.branch,
    verdict: verdictOf(validated, context),
    inputs: candidate.changes,
    hosts: [
      ...[...classes].map(([host, hostClass]) =>
        hostReport(
          host,
          hostClass,
          hostOf(state, host) ?? unlistedHost(state),
          facts.comparison.diffs.get(host),
        ),
      ),
      ...downstream.flatMap(downstreamHosts),
    ],
    failures: [...failuresOf(state, classes), ...downstream.flatMap(downstreamFailures)].map((failure) =>
      culprits === undefined || !failure.hosts.some((host) => broken.has(host))
        ? failure
        : { ...failure, input: culprits },
    ),
    unavailable: facts.unavailable,
    registry: facts.registry,
    flake: facts.flake,
    culprits: context.found?.culprits ?? [],
    rest: facts.partialLanding ? undefined : restOf(validated, context.found),
    unproven: context.found?.unproven,
    bisected: (context.found?.bisected ?? []).map(bisectedReport),
    packages: mergeDiffs(facts.comparison.diffs),
    notCompared: facts.comparison.unknown,
    warnings: newWarnings(validated),
    review: reviewOf(validated, context),
    redactions: 0,
  };
}

function restOf({ candidate }: Validated, found: Found | undefined): readonly string[] | undefined {
  if (found === undefined || !isRestGood({ candidate }, found)) return undefined;
  const culprits = new Set(found.culprits.flat());
  return candidate.changes.map(({ path }) => path.join("/")).filter((input) => !culprits.has(input));
}

function bisectedReport({ firstBad, suspects, ...rest }: BisectedInput): BisectedReport {
  return {
    ...rest,
    firstBad: firstBad && revisionReport(firstBad),
    suspects: suspects && { ...suspects, last: revisionReport(suspects.last) },
  };
}

const revisionReport = ({ rev, committedAt, subject }: Revision): ReportedRevision => ({
  rev,
  date: committedAt.toISOString(),
  subject,
});

const hostOf = (state: BuildState, name: string): HostState | undefined =>
  [...state.hosts.values()].find(({ host }) => host === name);

/** If the hosts could not be listed, only the build itself has a reason. */
function unlistedHost(state: BuildState): { readonly finished: Partial<FinishedHost> } | undefined {
  return hostsNotListed(state) ? { finished: { reason: unlistedReason(state) } } : undefined;
}

const unlistedReason = ({ reason }: BuildState): string => reason ?? "the hosts could not be listed";

function hostReport(
  host: string,
  hostClass: ReportedHost["class"],
  state: { readonly finished?: Partial<FinishedHost> } | undefined,
  diff: ClosureDiff | undefined,
): ReportedHost {
  const finished = state?.finished;
  return {
    host,
    class: hostClass,
    reboot: diff?.reboot ?? [],
    durationMs: finished?.durationMs,
    closureSize: diff?.size,
    sizeDelta: diff?.sizeDelta,
    message:
      hostClass === "missing-host"
        ? "it is no longer in nixosConfigurations"
        : finished?.reason && firstLine(finished.reason),
  };
}

function downstreamHosts({ repo, required, classes, state, reason }: DownstreamVerdict): ReportedHost[] {
  return [...classes].map(([host, hostClass]) => ({
    ...hostReport(host, hostClass, state && hostOf(state, host), undefined),
    host: `${repo}/${host}`,
    part: required ? "required" : "advisory",
    ...(reason === undefined ? {} : { message: reason }),
  }));
}

function downstreamFailures({ repo, state, classes }: DownstreamVerdict): RootFailure[] {
  if (state === undefined) return [];
  return failuresOf(state, classes).map((failure) => ({
    ...failure,
    hosts: failure.hosts.map((host) => `${repo}/${host}`),
  }));
}

/** One sentence. */
function verdictOf(validated: Validated, { why, found }: ProposalContext): string {
  const { outcome, candidate } = validated;
  const all = gatedHosts(validated);
  const old = [...validated.classes.values()].filter((each) => each === "pre-existing").length;
  const inputs = candidate.changes.length === 1 ? "1 input" : `${candidate.changes.length} inputs`;
  const held =
    found?.held === undefined
      ? ""
      : ` ${found.held.inputs.join(", ")} did not land without it: ${found.held.why}.`;
  const landed =
    found?.landed === undefined
      ? held
      : ` ${found.landed.inputs.join(", ")} landed without the others as ${found.landed.commit.slice(0, 7)}.`;
  if (outcome.type !== "propose")
    return `The update of ${inputs} builds on ${old === 0 ? `all ${all} hosts` : `${all - old} of ${all} hosts, and the others did not build before either`}${why === undefined ? "" : `, but did not land: ${why.message}`}.`;
  const hosts = `${outcome.hosts.length} of ${all} hosts`;
  const culprit =
    found !== undefined && isRestGood({ candidate }, found)
      ? `; without ${found.culprits.flat().join(", ")} they build`
      : "";
  return outcome.label === "build-failure"
    ? `The update of ${inputs} breaks ${hosts}${culprit}.${landed}`
    : `The update of ${inputs} breaks nothing, but ${hosts} did not build before either, and policy lets that block it.`;
}

const failuresOf = (state: BuildState, classes: Classes): RootFailure[] => [
  ...derivationFailures(state),
  ...evaluationFailures(state, classes),
];

function derivationFailures(state: BuildState): RootFailure[] {
  return state.failures
    .filter(({ kind }) => kind !== "infra")
    .map(({ name, drvPath, hosts, phase, reason, tail, log }) => ({
      name,
      drvPath,
      hosts: hosts.map(({ host }) => host),
      reason,
      tail: tail.join("\n"),
      phase,
      attachment: log === undefined ? undefined : attachmentName(hosts[0]?.host ?? "host", drvPath),
    }));
}

/** Hosts that do not evaluate for the same reason, but for their own names in it, are one failure. */
function evaluationFailures(state: BuildState, classes: Classes): RootFailure[] {
  if (hostsNotListed(state)) {
    const { details = "" } = state;
    const hosts = [...classes.keys()];
    return [
      { name: "the list of hosts", hosts, phase: "evaluation", reason: unlistedReason(state), tail: details },
    ];
  }
  const failures = new Map<string, RootFailure>();
  for (const { host, finished } of state.hosts.values()) {
    if (finished?.verdict !== "eval-failed") continue;
    const reason = finished.reason ?? "it does not evaluate";
    const first = { name: host, hosts: [], phase: "evaluation", reason, tail: finished.details ?? "" };
    const same = reason.replaceAll(host, "\0");
    const known = failures.get(same) ?? first;
    failures.set(same, { ...known, hosts: [...known.hosts, host] });
  }
  return [...failures.values()];
}

function newWarnings({ state, baseState }: Validated): UpdateReport["warnings"] {
  const before = new Set(
    [...(baseState?.hosts.values() ?? [])].flatMap(({ evaluated }) => evaluated?.warnings ?? []),
  );
  const warnings = new Map<string, string[]>();
  for (const { host, evaluated } of state.hosts.values()) {
    for (const text of evaluated?.warnings ?? []) {
      if (!before.has(text)) warnings.set(text, [...(warnings.get(text) ?? []), host]);
    }
  }
  return [...warnings].map(([text, hosts]) => ({ text, hosts }));
}

function reviewOf({ outcome, candidate }: Validated, { why }: ProposalContext): UpdateReport["review"] {
  const downgraded = candidate.changes
    .filter((change) => change.downgraded)
    .map(({ path }) => path.join("/"));
  return [
    ...(outcome.type === "propose" && outcome.label === "needs-review"
      ? [
          {
            reason: "policy" as const,
            message: "the policy preExisting of this repo lets them keep an update from landing",
            advice: 'fix them, or set "preExisting": "allow" for this repo',
          },
        ]
      : []),
    ...(why === undefined ? [] : [why]),
    ...(downgraded.length === 0 || why?.reason === "downgrade"
      ? []
      : [{ reason: "downgrade" as const, message: `older than before: ${downgraded.join(", ")}` }]),
  ];
}
