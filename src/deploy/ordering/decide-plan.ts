// What a deploy would do to each host and in which order, before anything is signed: from → to, and what refuses it.
import type { DeployCode } from "../../protocol/deploy/deploy-codes.ts";
import { isAbsent, seenAt, type Hold, type HostState } from "../../protocol/deploy/host-state.ts";
import type { RebootPart } from "../../protocol/deploy/deploy-events.ts";
import { deployCodes } from "../../protocol/deploy/deploy-codes.ts";
import type { SignedStatement } from "../../protocol/deploy/statement.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import type { HostAddress } from "../../bus/deploy-bus.ts";
import type { Commit, StorePath } from "../../protocol/names.ts";
import type { OpenedStatement } from "../../signing/open-envelope.ts";

export interface StatedClosure extends OpenedStatement {
  readonly signed: SignedStatement;
}

/** What is known about a host on NATS. */
export interface HostFacts {
  readonly address: HostAddress;
  /** Absent where it never spoke. */
  readonly state?: HostState;
  /** The statement of the closure that was chosen. */
  readonly stated?: StatedClosure;
  /** The hold of an operator. */
  readonly hold?: Hold;
  /** The newest build, where it is of another commit and did not state it. */
  readonly newer?: { readonly commit: Commit; readonly verdict: string };
}

export interface PlanSpecification {
  readonly kind: "activate" | "rollback" | "reboot";
  readonly action: "switch" | "boot";
  readonly reboot: boolean;
  readonly allowDrift: boolean;
}

export interface PlanRefusal {
  readonly code: DeployCode | "HOST_ABSENT";
  readonly detail: string;
  readonly hint: string;
}

export interface PlannedHost {
  readonly address: HostAddress;
  readonly state?: HostState;
  readonly from?: StorePath;
  readonly fromCommit?: string;
  readonly to?: StorePath;
  readonly commit?: string;
  readonly stated?: StatedClosure;
  /** As specified; a deploy of what runs already, whose boot waits, is a reboot. */
  readonly kind: PlanSpecification["kind"];
  /** Others need it, so it comes last. */
  readonly isNeeded: boolean;
  /** The host already runs it: nothing is ordered. */
  readonly isUnchanged: boolean;
  /** What waits for a boot already. */
  readonly rebootPending: readonly RebootPart[];
  readonly refusal?: PlanRefusal;
  readonly notes: readonly string[];
}

/** What others need while they are deployed. */
const neededServices = ["nats", "cache", "git", "dns", "builder", "deployer"];

/** In the order in which they are deployed: hosts that others need come last. */
export function decidePlan(
  hosts: readonly HostFacts[],
  specification: PlanSpecification,
  now: Date,
): readonly PlannedHost[] {
  const planned = hosts.map((facts) => planHost(facts, specification, now));
  return [...planned.filter(({ isNeeded }) => !isNeeded), ...planned.filter(({ isNeeded }) => isNeeded)];
}

export const exitCodeOfRefusal = ({ code }: PlanRefusal): number =>
  code === "HOST_ABSENT" ? exitCodes.unavailable : deployCodes[code];

function planHost(facts: HostFacts, specification: PlanSpecification, now: Date): PlannedHost {
  const { address, state, stated, newer } = facts;
  const to = targetOf(facts, specification);
  const running = state?.running.path ?? undefined;
  const isThere =
    specification.action === "boot"
      ? state?.permanent.path === to
      : running === to && state?.permanent.path === to;
  const pending = state?.reboot?.needed ?? [];
  const waitsForBoot = specification.reboot && pending.length > 0;
  const kind = specification.kind === "activate" && isThere && waitsForBoot ? "reboot" : specification.kind;
  return {
    address,
    state,
    from: running,
    fromCommit: state?.running.commit,
    to,
    commit: specification.kind === "activate" ? stated?.statement.commit : undefined,
    stated: kind === "activate" ? stated : undefined,
    kind,
    isNeeded: state?.serves.some((service) => neededServices.includes(service)) ?? false,
    isUnchanged: specification.kind !== "reboot" && to !== undefined && isThere && !waitsForBoot,
    rebootPending: pending,
    refusal: refusalOf(facts, to, specification, now),
    notes: [
      ...(specification.kind === "activate" && newer !== undefined
        ? [`its newest build, of ${newer.commit.slice(0, 7)}, is ${newer.verdict}`]
        : []),
      ...(state?.order === undefined ? [] : [`it is busy with an order (${state.order.phase})`]),
    ],
  };
}

function targetOf({ state, stated }: HostFacts, { kind }: PlanSpecification): StorePath | undefined {
  if (kind === "activate") return stated?.statement.path;
  return (kind === "rollback" ? state?.previous?.path : state?.permanent.path) ?? undefined;
}

function refusalOf(
  { address: { repo, host }, state, hold }: HostFacts,
  to: StorePath | undefined,
  { kind, allowDrift }: PlanSpecification,
  now: Date,
): PlanRefusal | undefined {
  if (state === undefined) {
    return {
      code: "HOST_ABSENT",
      detail: "it has never reported",
      hint: "enrol it: homelab.deploy.enable in its configuration, and its key among the NATS users",
    };
  }
  if (isAbsent(state, now)) {
    return {
      code: "HOST_ABSENT",
      detail: `it was last seen at ${seenAt(state)}`,
      hint: "look whether it is up and reaches NATS, then deploy again",
    };
  }
  if (to === undefined) return missingTarget(kind, host);
  if (state.hold !== undefined || state.migration) {
    return {
      code: "HELD",
      detail: state.hold ?? "it only reports: another tool still switches it (migration = true)",
      hint: "change the option in the host's configuration",
    };
  }
  if (hold !== undefined && !(hold.until !== undefined && Date.parse(hold.until) < now.getTime())) {
    return {
      code: "HELD",
      detail: `${hold.by} holds it: ${hold.reason}`,
      hint: `homelab-deploy hosts release ${repo}/${host}`,
    };
  }
  const isDrifted = state.drift.length > 0 || state.running.path === null;
  if (kind === "activate" && isDrifted && !allowDrift) {
    return {
      code: "CHANGED_MEANWHILE",
      detail: `it runs ${state.running.nixosVersion ?? state.running.path ?? "something unknown"}, changed by hand (${state.drift.join(", ")})`,
      hint: "--allow-drift overwrites it; what is not in the configuration is lost",
    };
  }
  return undefined;
}

function missingTarget(kind: PlanSpecification["kind"], host: string): PlanRefusal {
  switch (kind) {
    case "activate":
      return {
        code: "BAD_STATEMENT",
        detail:
          "no builder has stated it: nothing at the tip of its branch was built and proven to be cached",
        hint: `build it: homelab-deploy build ${host}`,
      };
    case "rollback":
      return {
        code: "DOWNGRADE",
        detail: "it knows no good system before the one that runs",
        hint: "deploy an older commit instead, with --commit and --allow-downgrade",
      };
    case "reboot":
      return {
        code: "CHANGED_MEANWHILE",
        detail: "its permanent system is not a store path",
        hint: `look at it: homelab-deploy hosts show ${host}`,
      };
  }
}
