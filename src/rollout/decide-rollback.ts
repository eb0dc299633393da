// After a halt with `onFailure: rollback`: hosts that this rollout has changed are sent back to what they ran before.
import type { OrderId } from "../protocol/deploy/order.ts";
import { hostsInPart } from "../protocol/rollout/rollout-events.ts";
import type { RolloutHost } from "../protocol/rollout/rollout.ts";
import { append, presenceOf, type RolloutStep, type RolloutView } from "./rollout-view.ts";

/** Under the same rules as the way there: not too many at a time, one of each role. */
export function decideRollback(
  view: RolloutView,
  inFlight: readonly RolloutHost[],
  newOrderId: () => OrderId,
): RolloutStep {
  const { rollout } = view;
  const roles = new Set(inFlight.flatMap(({ role }) => role ?? []));
  const slots = rollout.policy.maxUnavailable - inFlight.length;
  let isAlone = inFlight.some(({ isNeeded }) => isNeeded);
  const toUndo = [...rollout.hosts.values()].filter((host) => isUndone(host, view)).toReversed();
  const chosen: RolloutHost[] = [];
  for (const host of toUndo) {
    const inUse = inFlight.length + chosen.length;
    const isBusy = host.role !== undefined && roles.has(host.role);
    if (isAlone || isBusy || chosen.length >= Math.min(slots, hostsInPart) || (host.isNeeded && inUse > 0))
      continue;
    if (host.role !== undefined) roles.add(host.role);
    isAlone = host.isNeeded;
    chosen.push(host);
  }
  const orders = chosen.flatMap(({ host }) => {
    const path = view.hosts.get(host)?.state?.previous?.path;
    return path === undefined
      ? []
      : [{ host, order: newOrderId(), kind: "rollback" as const, path, attempt: 1 }];
  });
  if (orders.length > 0) return append({ type: "ordered", orders });
  const isUnheard = [...rollout.hosts.values()].some(
    ({ host, status }) => status === "done" && presenceOf(host, view) === "unknown",
  );
  if (inFlight.length > 0 || isUnheard) return { type: "wait" };
  const { code, detail } = rollout.halted ?? { code: "HOSTS_FAILED", detail: "" };
  return append({ type: "finished", outcome: "failed", detail: `${code}: ${detail}`.slice(0, 2000) });
}

/** It runs what this rollout brought, has something to go back to, and is there to do so. */
function isUndone({ host, status, path, order }: RolloutHost, view: RolloutView): boolean {
  const { state, hold } = view.hosts.get(host) ?? {};
  return (
    status === "done" &&
    hold === undefined &&
    state?.hold === undefined &&
    order?.kind !== "rollback" &&
    state !== undefined &&
    (state.running.path === path || state.permanent.path === path) &&
    state.previous !== undefined &&
    presenceOf(host, view) === "present"
  );
}
