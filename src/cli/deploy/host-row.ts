// How far a command is with each of its hosts.
import { exitCodeOfRefusal, type PlannedHost } from "../../deploy/ordering/decide-plan.ts";
import { exitCodeOfEnd, type FollowEnd } from "../../deploy/ordering/follow-deployment.ts";
import type { Deployment } from "../../protocol/deploy/deployment.ts";
import type { Order } from "../../protocol/deploy/order.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";

export interface HostRow {
  readonly plan: PlannedHost;
  /**
   * - `refused`, `unchanged`: nothing is ordered
   * - `waiting`: its turn comes; `skipped`: it does not come any more
   */
  readonly status: "refused" | "unchanged" | "waiting" | "running" | "ended" | "skipped";
  readonly order?: Order;
  readonly deployment?: Deployment;
  readonly end?: FollowEnd;
  /** On the monotonic clock. */
  readonly startedAt?: number;
  readonly ms?: number;
}

export const newRow = (plan: PlannedHost): HostRow => ({
  plan,
  status: plan.refusal !== undefined ? "refused" : plan.isUnchanged ? "unchanged" : "waiting",
});

/** Undefined while unknown. A host that was not begun does not count: another one's failure is the reason. */
export function exitCodeOfRow({ plan, status, order, end }: HostRow): number | undefined {
  if (plan.refusal !== undefined) return exitCodeOfRefusal(plan.refusal);
  if (status === "unchanged") return exitCodes.success;
  return end === undefined || order === undefined ? undefined : exitCodeOfEnd(end, order);
}
