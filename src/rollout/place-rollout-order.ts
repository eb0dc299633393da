// Signs and stores what a rollout has told that it orders.
import type { Clock } from "../base/clock.ts";
import { hasCode } from "../base/errors.ts";
import type { DeployBus } from "../bus/deploy-bus.ts";
import type { StatedClosure } from "../deploy/ordering/decide-plan.ts";
import { placeOrder } from "../deploy/ordering/place-order.ts";
import type { Order, OrderId, OrderKind } from "../protocol/deploy/order.ts";
import type { Rollout, RolloutHost } from "../protocol/rollout/rollout.ts";
import type { Signer } from "../signing/signing-key-file.ts";

export interface PlacingParts {
  readonly bus: Pick<DeployBus, "newestOrder" | "putOrder" | "hostState">;
  readonly signer: Signer;
  readonly clock: Clock;
}

export type Placed = "stored" | "overtaken" | "not-stated";

/** `overtaken`: another signer was faster, and theirs counts. */
export async function placeRolloutOrder(
  parts: PlacingParts,
  rollout: Rollout,
  host: RolloutHost,
  stated: StatedClosure | undefined,
  signal: AbortSignal,
): Promise<Placed> {
  const { order } = host;
  if (order === undefined) throw new TypeError(`${host.host} has no order`);
  const { kind, path, order: id } = order;
  if (kind === "activate" && stated?.statement.path !== path) return "not-stated";
  const statement = kind === "activate" ? stated : undefined;
  return placeFor(parts, rollout, host, { id, kind, path, statement }, signal);
}

/** Takes back an order that the host has not begun. */
export async function placeWithdrawal(
  parts: PlacingParts,
  rollout: Rollout,
  host: RolloutHost,
  signal: AbortSignal,
): Promise<Placed> {
  const { order } = host;
  if (order?.withdrawal === undefined) throw new TypeError(`${host.host} has no order to be taken back`);
  const { path, order: withdraws, withdrawal: id } = order;
  return placeFor(parts, rollout, host, { id, kind: "withdraw", path, withdraws }, signal);
}

export interface Placing {
  readonly id: OrderId;
  readonly kind: OrderKind;
  readonly path: RolloutHost["path"] & string;
  readonly statement?: StatedClosure;
  readonly withdraws?: OrderId;
  readonly mayReplace?: (newest: Order | undefined, hostSerial: number | undefined) => boolean;
}

/** Signs and stores it as it is told. */
export async function placeFor(
  { bus, signer, clock }: PlacingParts,
  { id: rollout, repo, created }: Rollout,
  { host, wave, from }: RolloutHost,
  { id, kind, path, statement, withdraws, mayReplace }: Placing,
  signal: AbortSignal,
): Promise<Placed> {
  const address = { repo, host };
  // What runs there at this moment: somebody else's switch in the meantime is not overwritten.
  const state = await bus.hostState(address, signal);
  const specification = {
    kind,
    action: "switch",
    path,
    statementHash: statement?.hash,
    reboot: kind === "reboot",
    allowDowngrade: false,
    allowDrift: false,
    by: created.by,
    reason: created.reason?.slice(0, 500),
    rollout: { id: rollout, wave },
    withdraws,
  } as const;
  const now = state?.running.path ?? undefined;
  // As it was planned: a system that somebody else switched to in the meantime stays, and the host says so.
  const isNew = kind === "activate" || kind === "fetch";
  const running = isNew && now !== path ? (from ?? now) : now;
  const request = {
    id,
    address,
    specification,
    statement: statement?.signed,
    running,
    hostSerial: state?.serial,
    mayReplace: mayReplace && ((newest: Order | undefined): boolean => mayReplace(newest, state?.serial)),
  };
  try {
    await placeOrder({ bus, signer, clock }, request, signal);
    return "stored";
  } catch (error) {
    if (hasCode(error, "ORDERED_MEANWHILE")) return "overtaken";
    throw error;
  }
}
