// Composes the order to sign from a person's specification, the host's state, and earlier orders.
import * as v from "valibot";
import type { HostAddress } from "../../bus/deploy-bus.ts";
import {
  OrderId,
  unverifiedOrderOrNothing,
  type Order,
  type OrderKind,
} from "../../protocol/deploy/order.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { Sha256 } from "../../protocol/store-paths/sha256.ts";
import { newBuildId } from "../../protocol/ulid.ts";

export interface OrderSpecification {
  readonly kind: OrderKind;
  readonly action: "switch" | "boot";
  readonly path: StorePath;
  /** The hash of the statement that goes along; only `activate` has one. */
  readonly statementHash?: Sha256;
  readonly reboot: boolean;
  readonly allowDowngrade: boolean;
  readonly allowDrift: boolean;
  /** The name of the person who orders, for display. */
  readonly by: string;
  readonly reason?: string;
  readonly rollout?: { readonly id: string; readonly wave: number };
  /** With `withdraw`: the order that is withdrawn. */
  readonly withdraws?: OrderId;
}

export interface OrderFacts {
  readonly address: HostAddress;
  readonly id: OrderId;
  readonly now: Date;
  /** What the host says it runs. */
  readonly running: StorePath | undefined;
  /** What must be lower: of the newest order that is stored, and the host's own. */
  readonly serials: readonly (number | undefined)[];
}

/** An order that is not obeyed by then never is: absent hosts are not surprised weeks later. */
const lifeMs = 15 * 60_000;

export const newOrderId = (now: Date): OrderId => v.parse(OrderId, newBuildId(now));

export function composeOrder(
  specification: OrderSpecification,
  { address, id, now, running, serials }: OrderFacts,
): Order {
  const { kind, action, path, statementHash, reboot, allowDowngrade, allowDrift, by, reason } = specification;
  const { rollout, withdraws } = specification;
  const higher = serials.filter((serial) => serial !== undefined).map((serial) => serial + 1);
  const allow = {
    ...(allowDowngrade ? { downgrade: true } : {}),
    ...(allowDrift ? { drift: true } : {}),
  };
  return {
    v: 1,
    id,
    kind,
    ...address,
    serial: Math.max(now.getTime(), ...higher),
    issuedAt: now.toISOString(),
    notAfter: new Date(now.getTime() + lifeMs).toISOString(),
    action,
    path,
    ...(statementHash === undefined ? {} : { statementHash }),
    expects: running === undefined ? { any: true } : { running },
    ...(Object.keys(allow).length === 0 ? {} : { allow }),
    reboot: reboot || kind === "reboot" ? "now" : "never",
    ...(rollout === undefined ? {} : { rollout }),
    ...(withdraws === undefined ? {} : { withdraws }),
    by: by.slice(0, 64),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Nobody's clock is ahead by more. */
const mostAheadMs = 86_400_000;

/**
 * The serial of a stored order. Nothing about it is proven, so one that is far in the future is left out: it would use up
 * the serials there are. A host that has such a one names it.
 */
export function serialOfStored(envelope: Uint8Array, now: Date): number | undefined {
  const serial = unverifiedOrderOrNothing(envelope)?.serial;
  return serial === undefined || serial > now.getTime() + mostAheadMs ? undefined : serial;
}
