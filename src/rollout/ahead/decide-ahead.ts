// Which hosts fetch before their turn: those of the next wave, while the wave before it soaks. Only bytes go to them, so when it
// is their turn they are changed at once. Nothing depends on it: a host that did not fetch ahead fetches when it is ordered.
import type { OrderId } from "../../protocol/deploy/order.ts";
import { hostsInPart, type RolloutResult } from "../../protocol/rollout/rollout-events.ts";
import { isFetchingAhead, type RolloutHost } from "../../protocol/rollout/rollout.ts";
import { isOpen } from "../../protocol/rollout/windows.ts";
import { append, presenceOf, type RolloutStep, type RolloutView } from "../rollout-view.ts";

/** An order is valid for 15 minutes, clocks may differ by 2, and the way takes a while. */
const notTakenMs = 17.5 * 60_000;
/** An order that a deployer told and did not come to store is not stored later than this. */
const storedLateMs = 60_000;
/** A fetch takes nobody down, so where hosts are changed one by one several may fetch, but the cache has to bear it. */
const fetchesAtOnce = 5;

/**
 * Asked only while a wave soaks: never in a rollout that is paused, halted or aborted.
 *
 * @param soaking the wave that soaks
 * @returns undefined while there is nothing to do about it
 */
export function decideAhead(
  view: RolloutView,
  soaking: number,
  newOrderId: () => OrderId,
): RolloutStep | undefined {
  const { rollout, now } = view;
  const fetching = [...rollout.hosts.values()].filter(isFetchingAhead);
  if (!isOpen(rollout.policy.windows, now)) return undefined;
  const toPlace = fetching.filter((host) => isUnstored(host, view) && mayFetch(host, view));
  if (toPlace.length > 0) return { type: "place-ahead", hosts: toPlace.map(({ host }) => host) };
  // What a host that is away does is unknown, and it loads nothing.
  const inUse = fetching.filter(({ host }) => presenceOf(host, view) !== "absent").length;
  const most = Math.min(hostsInPart, Math.max(rollout.policy.maxUnavailable, fetchesAtOnce) - inUse);
  const orders = nextWave(view, soaking)
    .filter((host) => host.ahead === undefined && mayFetch(host, view))
    .slice(0, Math.max(0, most))
    .flatMap(({ host, path }) => (path === undefined ? [] : [{ host, order: newOrderId(), path }]));
  return orders.length === 0 ? undefined : append({ type: "fetch-ordered", orders });
}

/** Undefined unless an order to fetch ahead has ended, and the log does not have that yet. */
export function endAhead(view: RolloutView): RolloutStep | undefined {
  const fetching = [...view.rollout.hosts.values()].filter(isFetchingAhead);
  const results = fetching.flatMap((host) => concludeAhead(host, view) ?? []).slice(0, hostsInPart);
  return results.length === 0 ? undefined : append({ type: "fetch-ended", results });
}

/** After an abort: the orders to fetch that may still be under way are withdrawn. Undefined where none is left. */
export function withdrawAhead(view: RolloutView, newOrderId: () => OrderId): RolloutStep | undefined {
  const underWay = [...view.rollout.hosts.values()].filter(
    (host) => isFetchingAhead(host) && isNewest(host, view),
  );
  const orders = underWay.flatMap(({ host, ahead }) =>
    ahead === undefined || ahead.withdrawal !== undefined
      ? []
      : [{ host, order: ahead.order, withdrawal: newOrderId() }],
  );
  if (orders.length > 0) return append({ type: "withdrawn", orders: orders.slice(0, hostsInPart) });
  return underWay.length === 0
    ? undefined
    : { type: "withdraw-ahead", hosts: underWay.map(({ host }) => host) };
}

/** It is stored, nothing newer is, and the host has not come to its end. */
function isNewest({ host, ahead }: RolloutHost, { hosts }: RolloutView): boolean {
  const { newestOrder, deployment } = hosts.get(host)?.ahead ?? {};
  return ahead !== undefined && newestOrder === ahead.order && deployment?.end === undefined;
}

/** The waiting hosts of the first later wave that has any. None if a person has to release a wave before it. */
function nextWave({ rollout }: RolloutView, soaking: number): readonly RolloutHost[] {
  for (const [index, wave] of rollout.waves.entries()) {
    if (index <= soaking || wave.soakedAt !== undefined) continue;
    if (wave.manual && !wave.released) return [];
    const waiting = [...rollout.hosts.values()].filter(
      (host) => host.wave === index && host.status === "waiting",
    );
    if (waiting.length > 0) return waiting;
  }
  return [];
}

/** It is there, knows such orders, is as it was planned, and neither held nor busy. */
function mayFetch({ host, status, path, from }: RolloutHost, view: RolloutView): boolean {
  const { state, hold } = view.hosts.get(host) ?? {};
  if (status !== "waiting" || path === undefined || state === undefined) return false;
  if (hold !== undefined || state.hold !== undefined || state.migration) return false;
  const running = state.running.path ?? undefined;
  return (
    presenceOf(host, view) === "present" &&
    state.orderKinds.includes("fetch") &&
    state.order === undefined &&
    running !== path &&
    (from === undefined || running === from)
  );
}

/** Somebody has looked, and it is not there. It may have been told a moment before the deployer died. */
function isUnstored({ host, ahead }: RolloutHost, { hosts, now }: RolloutView): boolean {
  const { deployment, newestOrder } = hosts.get(host)?.ahead ?? {};
  if (ahead === undefined || deployment !== undefined || newestOrder === undefined) return false;
  return newestOrder !== ahead.order && now.getTime() - Date.parse(ahead.at) < storedLateMs;
}

/** Undefined while it is under way. */
function concludeAhead({ host, ahead }: RolloutHost, { hosts, now }: RolloutView): RolloutResult | undefined {
  if (ahead === undefined) return undefined;
  const about = { host, order: ahead.order };
  const { deployment, newestOrder: newest } = hosts.get(host)?.ahead ?? {};
  const end = deployment?.end;
  if (end !== undefined) {
    const { outcome, code, at: endedAt } = end;
    const ms = Math.max(0, Date.parse(endedAt) - Date.parse(deployment?.startedAt ?? endedAt));
    return { ...about, outcome, code, detail: end.detail?.slice(0, 2000), ms, endedAt };
  }
  if (deployment !== undefined) return undefined;
  // Ids are ULIDs: one that sorts after ours was made after it.
  if (typeof newest === "string" && newest > ahead.order) return { ...about, outcome: "superseded" };
  const sinceMs = now.getTime() - Date.parse(ahead.at);
  const isStored = newest === undefined || newest === ahead.order;
  return sinceMs > (isStored ? notTakenMs : storedLateMs) ? { ...about, outcome: "not-taken" } : undefined;
}
