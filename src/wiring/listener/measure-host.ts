// The metrics of a host, from what its journal remembers and what the listener found. Pure.
import { rollbackFailedHold } from "../../deploy/host-memory.ts";
import type { JournalView } from "../../deploy/listener/journal-watch.ts";
import type { Phase } from "../../deploy/host-memory.ts";
import type { JournalLine } from "../../deploy/journal.ts";
import type {
  DeploymentPhase,
  HoldCause,
  HostMeasures,
  JournalMeasures,
  StateMeasures,
} from "../../metrics/host-measures.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import { timeOf } from "../../protocol/ulid.ts";

export interface HostFindings {
  readonly journal: Pick<JournalView, "memory" | "lines"> | undefined;
  readonly state: HostState | undefined;
  readonly isNatsConnected: boolean;
  readonly now: Date;
}

export const measureHost = ({ journal, state, isNatsConnected, now }: HostFindings): HostMeasures => ({
  journal: journal && measureJournal(journal, now),
  state: state && measureState(state, journal?.memory.isStuck === true),
  isNatsConnected,
});

function measureJournal(
  { memory, lines }: Pick<JournalView, "memory" | "lines">,
  now: Date,
): JournalMeasures {
  const { counts, current, lastOrder } = memory;
  const isChanging = current !== undefined && current.order.kind !== "fetch";
  const confirmed = lines.map(({ event }) => event).findLast((event) => event.type === "confirmed");
  return {
    ended: counts.finished,
    rejected: counts.rejected,
    isInProgress: isChanging,
    phaseSeconds: newestPhases(lines, now),
    confirmSeconds: confirmed && confirmed.ms / 1000,
    lastOrderAgeSeconds: lastOrder && secondsBetween(timeOf(lastOrder), now),
  };
}

/** What the deployment does from an event until the next one. */
const phaseAfter: Readonly<Record<Phase, DeploymentPhase>> = {
  received: "fetching",
  fetching: "fetching",
  fetched: "preflight",
  ready: "activating",
  activating: "activating",
  activated: "checking",
  checking: "checking",
  checked: "confirming",
  confirmed: "persisting",
  persisting: "persisting",
  staged: "staged",
  rebooting: "rebooting",
  booted: "checking",
  "rolling-back": "rolling-back",
};

function newestPhases(lines: readonly JournalLine[], now: Date): ReadonlyMap<DeploymentPhase, number> {
  const begun = lines.findLastIndex(({ event }) => event.type === "received" && event.kind !== "fetch");
  const order = lines[begun]?.event.order;
  const seconds = new Map<DeploymentPhase, number>();
  let since: { readonly phase: DeploymentPhase; readonly at: Date } | undefined;
  function endPhase(at: Date): void {
    if (since === undefined) return;
    seconds.set(since.phase, (seconds.get(since.phase) ?? 0) + secondsBetween(since.at, at));
    since = undefined;
  }
  for (const { event } of begun < 0 ? [] : lines.slice(begun)) {
    const { type } = event;
    if (event.order !== order || type === "warning" || type === "rejected") continue;
    const at = new Date(event.at);
    endPhase(at);
    if (type !== "finished") since = { phase: phaseAfter[type], at };
  }
  endPhase(now);
  return seconds;
}

function measureState(
  { running, reboot, drift, clock, hold }: HostState,
  hasRollbackFailed: boolean,
): StateMeasures {
  const holds: HoldCause[] = [];
  if (hold !== undefined && hold !== rollbackFailedHold) holds.push("option");
  if (hasRollbackFailed) holds.push("rollback-failed");
  return {
    path: running.path ?? undefined,
    commit: running.commit,
    rebootNeeded: reboot?.needed ?? [],
    drift,
    isClockOk: clock.ok,
    holds,
  };
}

/** Clocks are put right: no time is negative. */
const secondsBetween = (from: Date, to: Date): number => Math.max(0, to.getTime() - from.getTime()) / 1000;
