// What an order does to the one before it: takes it back, takes its place, or leaves it alone. Only an order that has changed
// nothing can be taken back: whatever was begun goes to its end, forward or back.
import type { DeployCode, DeployOutcome } from "../protocol/deploy/deploy-codes.ts";
import type { Order } from "../protocol/deploy/order.ts";
import type { Deployment } from "./host-memory.ts";

export interface WithdrawalQuestion {
  readonly order: Order;
  /** The order that is running or waits for a boot. */
  readonly current: Deployment | undefined;
  /** How the order that is taken back ended here; undefined where it has not, or never came. */
  readonly end: DeployOutcome | undefined;
}

export type WithdrawalDecision =
  /** It changed nothing and will not: it ended by this, or this one took its place on the subject before it was read. */
  | { readonly type: "taken-back" }
  | { readonly type: "rejected"; readonly code: DeployCode; readonly detail: string };

export function decideWithdrawal({ order, current, end }: WithdrawalQuestion): WithdrawalDecision {
  const { withdraws } = order;
  if (current !== undefined) {
    const what = current.order.id === withdraws ? "it" : `order ${current.order.id}`;
    return { type: "rejected", code: "BUSY", detail: `${what} is carried out already, and waits for a boot` };
  }
  return end === undefined || end === "superseded" || end === "fetched"
    ? { type: "taken-back" }
    : { type: "rejected", code: "CHANGED_MEANWHILE", detail: `order ${withdraws} has ended here: ${end}` };
}

/** Whether an order that has come ends a deployment that has changed nothing yet. */
export function takesItsPlace({ kind, withdraws }: Order, { order }: Deployment): boolean {
  if (kind === "withdraw") return withdraws === order.id;
  // Bytes for later are not worth a deployment.
  return kind !== "fetch" || order.kind === "fetch";
}

/** Why a host does not begin to fetch for later: what waits for a boot must be able to go on from where it is. */
export function whyNotFetch(
  { kind }: Order,
  current: Deployment | undefined,
): { readonly code: DeployCode; readonly detail: string } | undefined {
  if (kind !== "fetch" || current === undefined) return undefined;
  return { code: "BUSY", detail: `order ${current.order.id} is carried out already, and waits for a boot` };
}
