// Whether a host's order is over, from what the host's log says about it, or from its silence.
import { absentAfterMs } from "../protocol/deploy/host-state.ts";
import type { Deployment } from "../protocol/deploy/deployment.ts";
import { timeOf } from "../protocol/ulid.ts";
import type { RolloutResult } from "../protocol/rollout/rollout-events.ts";
import type { RolloutHost, RolloutOrder } from "../protocol/rollout/rollout.ts";
import { presenceOf, type RolloutView } from "./rollout-view.ts";

/** An order is valid for 15 minutes, clocks may differ by 2, and the way takes a while. */
const notTakenMs = 17.5 * 60_000;
/** An order that a deployer told and did not come to store is not stored later than this: it is given again. */
const storedLateMs = 2 * 60_000;
/** A host that has not spoken for so long since it began is lost. */
const lostMs = 15 * 60_000;
/** A host that took the order just before the withdrawal was stored has said so by then. */
const withdrawnMs = 30_000;

/** Undefined while it is under way. */
export function concludeOrder(host: RolloutHost, view: RolloutView): RolloutResult | undefined {
  const { order } = host;
  if (host.status !== "ordered" || order === undefined) return undefined;
  const about = { host: host.host, order: order.order };
  const { deployment, newestOrder, isOvertaken } = view.hosts.get(host.host) ?? {};
  if (deployment !== undefined) {
    const ended = concludeDeployment(deployment, host, view);
    return ended === undefined ? undefined : { ...about, ...ended };
  }
  const outcome = isOvertaken === true ? "superseded" : concludeSilence(order, newestOrder, view);
  return outcome === undefined ? undefined : { ...about, outcome };
}

type Conclusion = Omit<RolloutResult, "host" | "order">;

function concludeDeployment(
  { end, phase, since, startedAt, staged }: Deployment,
  host: RolloutHost,
  view: RolloutView,
): Conclusion | undefined {
  const ms = (until: string): number => Math.max(0, Date.parse(until) - Date.parse(startedAt));
  if (end !== undefined) {
    const { outcome, code, detail, serial, at } = end;
    return { outcome, code, detail: detail?.slice(0, 2000), serial, ms: ms(at), endedAt: at };
  }
  // The reboot that finishes it is an order of its own.
  if (phase === "staged")
    return { outcome: "staged", detail: staged?.slice(0, 2000), ms: ms(since), endedAt: since };
  if (!isLost(since, host, view)) return undefined;
  // Nothing was changed there: it is away, not broken.
  const isUntouched = phase === "verifying" || phase === "fetching" || phase === "preflight";
  const detail = `has not reported since it was ${phase}`;
  return { outcome: isUntouched ? "not-taken" : "lost", detail };
}

/** It has been absent for long, or it reports and no longer knows the order. */
function isLost(since: string, { host, order }: RolloutHost, view: RolloutView): boolean {
  const sinceMs = Date.parse(since);
  if (view.now.getTime() - sinceMs <= lostMs) return false;
  const state = view.hosts.get(host)?.state;
  const hasForgotten =
    state !== undefined && state.order?.id !== order?.order && Date.parse(state.at) - sinceMs > lostMs;
  return hasForgotten || presenceOf(host, view) === "absent";
}

function concludeSilence(
  { order, at, withdrawal }: RolloutOrder,
  newest: string | null | undefined,
  { now, rollout, hearsSince }: RolloutView,
): Conclusion["outcome"] | undefined {
  const sinceMs = now.getTime() - Date.parse(at);
  // After a gap the host has to be heard again first: it may have begun meanwhile.
  const hears = now.getTime() - hearsSince.getTime() >= absentAfterMs;
  if (withdrawal !== undefined && newest === withdrawal) {
    return hears && now.getTime() - timeOf(withdrawal).getTime() > withdrawnMs ? "withdrawn" : undefined;
  }
  // Ids are ULIDs: one that sorts after ours was made after it.
  if (typeof newest === "string" && newest > order) return "superseded";
  if (newest !== undefined && newest !== order) {
    if (rollout.aborted !== undefined) return "withdrawn";
    return sinceMs > storedLateMs ? "not-taken" : undefined;
  }
  return hears && sinceMs > notTakenMs ? "not-taken" : undefined;
}
