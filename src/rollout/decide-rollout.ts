// What the deployer does next with a rollout: a pure function of the rollout's log, what hosts say, and the time. It is asked
// after each step, so a deployer that restarts continues where the log ends.
import { isOpen, nextOpening } from "../protocol/rollout/windows.ts";
import {
  failedHosts,
  isPlanned,
  takesNothing,
  waitsForBoot,
  type RolloutHost,
} from "../protocol/rollout/rollout.ts";
import { hostsInPart } from "../protocol/rollout/rollout-events.ts";
import type { OrderId } from "../protocol/deploy/order.ts";
import { chooseForOrder, type Choice } from "./choose-for-order.ts";
import { decideAhead, endAhead, withdrawAhead } from "./ahead/decide-ahead.ts";
import { concludeOrder } from "./conclude-order.ts";
import { decideGates, decideSoak, findWorse } from "./decide-soak.ts";
import { decideRollback } from "./decide-rollback.ts";
import { decideEnd } from "./decide-end.ts";
import { append, presenceOf, type RolloutStep, type RolloutView } from "./rollout-view.ts";

/** @param newOrderId a fresh one at each call, that sorts after all before */
export function decideRollout(view: RolloutView, newOrderId: () => OrderId): RolloutStep {
  const { rollout } = view;
  if (rollout.end !== undefined) return { type: "over" };
  if (!isPlanned(rollout)) {
    if (rollout.aborted !== undefined) {
      return append({ type: "finished", outcome: "aborted", detail: "before it began" });
    }
    // A host that we did not hear only because we were down is not planned as absent.
    const isHeard = rollout.wanted.every((host) => presenceOf(host, view) !== "unknown");
    return isHeard ? { type: "plan" } : { type: "wait" };
  }
  const results = [...rollout.hosts.values()].flatMap((host) => concludeOrder(host, view) ?? []);
  if (results.length > 0) return append({ type: "ended", results: results.slice(0, hostsInPart) });
  const ahead = endAhead(view);
  if (ahead !== undefined) return ahead;
  const inFlight = [...rollout.hosts.values()].filter(({ status }) => status === "ordered");
  const waiting: RolloutStep = { type: "wait" };
  if (rollout.aborted !== undefined) return decideAbort(inFlight, view, newOrderId);
  // Not before somebody has checked: it may be stored, or something newer may be.
  const unstored = inFlight.filter(
    (host) => !isStored(host, view) && view.hosts.get(host.host)?.newestOrder !== undefined,
  );
  const mayOrder = (host: RolloutHost): boolean =>
    host.order?.kind === "rollback"
      ? rollout.paused === undefined
      : rollout.paused === undefined &&
        rollout.halted === undefined &&
        isOpen(rollout.policy.windows, view.now);
  const toPlace = unstored.filter(mayOrder);
  if (toPlace.length > 0) return { type: "place", hosts: toPlace.map(({ host }) => host) };

  const failed = failedHosts(rollout);
  if (
    rollout.halted === undefined &&
    failed.length > Math.max(rollout.policy.maxFailures, rollout.accepted)
  ) {
    return append({
      type: "halted",
      code: "HOSTS_FAILED",
      detail: describeFailures(failed),
      host: failed[0]?.host,
    });
  }
  if (rollout.halted !== undefined && rollout.paused === undefined) {
    return rollout.policy.onFailure === "rollback" ? decideRollback(view, inFlight, newOrderId) : waiting;
  }
  if (rollout.paused !== undefined || rollout.halted !== undefined) return waiting;
  return decideWaves(view, inFlight, newOrderId);
}

function isStored({ host, order }: RolloutHost, { hosts }: RolloutView): boolean {
  const view = hosts.get(host);
  return view?.deployment !== undefined || (order !== undefined && view?.newestOrder === order.order);
}

function decideAbort(
  inFlight: readonly RolloutHost[],
  view: RolloutView,
  newOrderId: () => OrderId,
): RolloutStep {
  if (inFlight.length === 0) {
    return withdrawAhead(view, newOrderId) ?? append({ type: "finished", outcome: "aborted" });
  }
  // An order that has begun is not interrupted.
  const notBegun = inFlight.filter(({ host, order }) => {
    const phase = view.hosts.get(host)?.deployment?.phase;
    return (
      order !== undefined && (phase === undefined || ["verifying", "fetching", "preflight"].includes(phase))
    );
  });
  const orders = notBegun.flatMap(({ host, order }) =>
    order === undefined || order.withdrawal !== undefined
      ? []
      : [{ host, order: order.order, withdrawal: newOrderId() }],
  );
  if (orders.length > 0) return append({ type: "withdrawn", orders: orders.slice(0, hostsInPart) });
  const unstored = notBegun.filter(({ host, order }) => {
    const newest = view.hosts.get(host)?.newestOrder;
    return order !== undefined && newest === order.order;
  });
  if (unstored.length > 0) return { type: "withdraw", hosts: unstored.map(({ host }) => host) };
  return withdrawAhead(view, newOrderId) ?? { type: "wait" };
}

/** A wave is over when it has soaked, or when there is nothing in it that could. */
function decideWaves(
  view: RolloutView,
  inFlight: readonly RolloutHost[],
  newOrderId: () => OrderId,
): RolloutStep {
  const { rollout, now } = view;
  const { policy, waves } = rollout;
  for (const [index, wave] of waves.entries()) {
    if (wave.soakedAt !== undefined) continue;
    const members = [...rollout.hosts.values()].filter((host) => host.wave === index);
    const isGivenUp = new Set(members.filter(takesNothing).map(({ host }) => host));
    const open = members.filter(
      ({ host, status }) =>
        status === "waiting" ||
        status === "ordered" ||
        (status === "absent" && presenceOf(host, view) === "present" && !isGivenUp.has(host)),
    );
    const changed = members.filter(({ status, result }) => status === "done" && result !== undefined);
    if (wave.startedAt === undefined) {
      if (open.length === 0) {
        const halt = withoutCanary(view, index, members);
        if (halt !== undefined) return halt;
        continue;
      }
      if (wave.manual && !wave.released) {
        return append({
          type: "paused",
          by: "the policy",
          wave: index,
          reason: `the wave ${wave.name} is manual`,
        });
      }
      if (!isOpen(policy.windows, now)) return { type: "wait", until: nextOpening(policy.windows, now) };
      return decideGates(view) ?? append({ type: "wave-started", wave: index });
    }
    const worse = findWorse(view, changed);
    if (worse !== undefined) return worse;
    const choice = chooseForOrder(view, inFlight, { upTo: index });
    const step = stepOf(choice, view, inFlight, newOrderId);
    if (step !== undefined) return step;
    const halt = withoutCanary(view, index, members);
    if (halt !== undefined) return halt;
    if (changed.length === 0) {
      return append({ type: "soaked", wave: index });
    }
    const soak = decideSoak(view, index, changed);
    return soak.type === "wait" ? (decideAhead(view, index, newOrderId) ?? soak) : soak;
  }
  return decideReboots(view, inFlight, newOrderId) ?? append(decideEnd(rollout));
}

/** Undefined where nothing is left to be ordered or waited for. */
function stepOf(
  { leftOut, orders, isWaiting, until, blocked }: Choice,
  { rollout }: RolloutView,
  inFlight: readonly RolloutHost[],
  newOrderId: () => OrderId,
): RolloutStep | undefined {
  if (leftOut !== undefined) return append({ type: "left-out", ...leftOut });
  if (orders.length > 0) {
    return append({
      type: "ordered",
      orders: orders.map(({ host, path, kind, attempt }) => ({
        host,
        order: newOrderId(),
        kind,
        path,
        attempt,
      })),
    });
  }
  if (inFlight.length > 0 || isWaiting) return { type: "wait", until };
  if (blocked === undefined) return undefined;
  const { host, by } = blocked;
  const role = rollout.hosts.get(host)?.role ?? "";
  return append({
    type: "halted",
    code: "HOST_SILENT",
    detail: `${host} waits for ${by}, which is down (role ${role}, one at a time)`,
    host: by,
  });
}

/** The first wave is there to prove the new system. Without anybody in it, nothing does. */
function withoutCanary(
  { rollout }: RolloutView,
  index: number,
  members: readonly RolloutHost[],
): RolloutStep | undefined {
  const isFirst = index === 0 && rollout.waves.length > 1;
  const isProven = members.some(
    (host) => (host.status === "done" && !waitsForBoot(host)) || host.status === "unchanged",
  );
  // A person who resumed after a failure there knows that nothing is proven.
  const isWaived = rollout.waived.some(({ code }) => code === "NO_CANARY" || code === "HOSTS_FAILED");
  if (!isFirst || isProven || isWaived) return undefined;
  return append({
    type: "halted",
    code: "NO_CANARY",
    detail:
      `no host of the first wave runs it: ${members.map(({ host, status }) => `${host} (${status})`).join(", ")}`.slice(
        0,
        2000,
      ),
  });
}

function decideReboots(
  view: RolloutView,
  inFlight: readonly RolloutHost[],
  newOrderId: () => OrderId,
): RolloutStep | undefined {
  const { rollout } = view;
  if (rollout.policy.reboots === "never" && inFlight.length === 0) return undefined;
  const choice = chooseForOrder(view, inFlight, { upTo: rollout.waves.length, reboots: true });
  return stepOf(choice, view, inFlight, newOrderId);
}

const describeFailures = (failed: readonly RolloutHost[]): string => {
  const [first] = failed;
  const { outcome = "failed", code, detail } = first?.result ?? {};
  const why = `${first?.host ?? ""}: ${outcome}${code === undefined ? "" : ` (${code})`}${detail === undefined ? "" : `: ${detail}`}`;
  const more = failed.length - 1;
  return `${why}${more > 0 ? `; and ${more} more` : ""}`.slice(0, 2000);
};
