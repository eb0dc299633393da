// What went wrong in a build, each cause once, with every host that it concerns.
import type { BuildState, HostState } from "../protocol/build-state.ts";
import type { DerivationFailure, HostRef } from "../protocol/events.ts";
import { fullName } from "../protocol/names.ts";
import { onMachine } from "./machine-words.ts";
import { isOwnFault, isSuccess, outcomeOf, type HostOutcome } from "../protocol/verdicts.ts";

export type FailureGroup =
  | { readonly type: "derivation"; readonly failure: DerivationFailure; readonly hosts: readonly HostRef[] }
  /** Hosts that failed with the same words and without a derivation of their own: evaluation errors first of all. */
  | {
      readonly type: "hosts";
      readonly verdict: HostOutcome;
      readonly reason: string;
      readonly details?: string;
      readonly hosts: readonly HostRef[];
    };

/** Own faults first, in the order in which they came; then what is not the hosts' fault. */
export function groupFailures(state: BuildState): FailureGroup[] {
  const derivations = derivationGroups(state);
  const explained = new Set(derivations.flatMap(({ hosts }) => hosts.map(fullName)));
  const groups = [...derivations, ...hostGroups([...state.hosts.values()], explained)];
  return groups.toSorted((a, b) => Number(isInfra(a)) - Number(isInfra(b)));
}

export const isInfra = (group: FailureGroup): boolean =>
  group.type === "derivation" ? group.failure.kind === "infra" : group.verdict === "infra-failed";

/** What is said about one failure that stands for others: of many derivations that break the same hosts, a few show why. */
export const mostAlike = 3;

/**
 * The first few of the derivations that break the same hosts, and how many more there are: when a mirror is down, a host
 * has dozens of reasons that are all the same.
 */
export function shortenFailures(groups: readonly FailureGroup[]): {
  readonly shown: readonly FailureGroup[];
  /** Derivations that are not shown, for each set of hosts that has some. */
  readonly more: readonly { readonly hosts: readonly HostRef[]; readonly count: number }[];
} {
  const keyOf = ({ hosts }: FailureGroup): string => hosts.map(fullName).toSorted().join(" ");
  const alike = Map.groupBy(
    groups.filter((group) => group.type === "derivation"),
    keyOf,
  );
  const hidden = new Set<FailureGroup>([...alike.values()].flatMap((each) => each.slice(mostAlike)));
  return {
    shown: groups.filter((group) => !hidden.has(group)),
    more: [...alike.values()].flatMap((each) => {
      const [first] = each;
      const count = each.length - mostAlike;
      return first === undefined || count <= 0 ? [] : [{ hosts: first.hosts, count }];
    }),
  };
}

/** A fault that was overcome by trying again concerns nobody any more. */
function derivationGroups(state: BuildState): Extract<FailureGroup, { type: "derivation" }>[] {
  const byPath = new Map<string, { failure: DerivationFailure; hosts: Map<string, HostRef> }>();
  for (const failure of state.failures) {
    const group = byPath.get(failure.drvPath) ?? { failure, hosts: new Map<string, HostRef>() };
    for (const { repo, host } of failure.hosts) group.hosts.set(fullName({ repo, host }), { repo, host });
    byPath.set(failure.drvPath, { ...group, failure });
  }
  return [...byPath.values()].flatMap(({ failure, hosts }) => {
    const concerned = [...hosts.values()].filter((host) => {
      const verdict = state.hosts.get(fullName(host))?.finished?.verdict;
      return verdict === undefined || !isSuccess(verdict);
    });
    return hosts.size > 0 && concerned.length === 0
      ? []
      : [{ type: "derivation" as const, failure, hosts: concerned }];
  });
}

function hostGroups(
  hosts: readonly HostState[],
  explained: ReadonlySet<string>,
): Extract<FailureGroup, { type: "hosts" }>[] {
  const failed = hosts
    .flatMap(({ finished }) => (finished === undefined ? [] : [finished]))
    .filter(
      (host) =>
        (isOwnFault(host.verdict) || host.verdict === "infra-failed") && !explained.has(fullName(host)),
    );
  const alike = Map.groupBy(failed, (host) => `${outcomeOf(host)}\n${host.reason ?? ""}`);
  return [...alike.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { reason = "no reason was given", details } = first;
    return [
      {
        type: "hosts" as const,
        verdict: outcomeOf(first),
        reason,
        details,
        hosts: group.map(({ repo, host }) => ({ repo, host })),
      },
    ];
  });
}

/** `builder failed with exit code 2 (buildPhase, on arm1)`: each fact once. */
export function explain({ kind, reason, exitCode, phase, machine }: DerivationFailure): string {
  const facts = [
    ...(exitCode === undefined || reason.includes("exit code") ? [] : [`exit code ${exitCode}`]),
    ...(phase === undefined || reason.includes(phase) ? [] : [phase]),
    ...(machine === undefined || reason.includes(machine) ? [] : [onMachine(machine).trim()]),
  ];
  const prefix = kind === "timed-out" && !/tim(?:ed|e) ?out/i.test(reason) ? "timed out: " : "";
  return `${prefix}${reason}${facts.length === 0 ? "" : ` (${facts.join(", ")})`}`;
}
