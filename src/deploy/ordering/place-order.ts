// Signs an order and stores it as the host's newest, by compare-and-swap: of two signers at once exactly one succeeds.
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import type { DeployBus, HostAddress } from "../../bus/deploy-bus.ts";
import { unverifiedOrderOrNothing, type Order, type OrderId } from "../../protocol/deploy/order.ts";
import type { SignedStatement } from "../../protocol/deploy/statement.ts";
import type { StorePath } from "../../protocol/names.ts";
import { signOrder } from "../../signing/sign-envelope.ts";
import type { Signer } from "../../signing/signing-key-file.ts";
import { composeOrder, newOrderId, serialOfStored, type OrderSpecification } from "./compose-order.ts";

export interface PlaceOptions {
  readonly bus: Pick<DeployBus, "newestOrder" | "putOrder">;
  readonly signer: Signer;
  readonly clock: Clock;
}

export interface OrderRequest {
  /** Where somebody has told it before; a fresh one otherwise. */
  readonly id?: OrderId;
  readonly address: HostAddress;
  readonly specification: OrderSpecification;
  readonly statement?: SignedStatement;
  readonly running: StorePath | undefined;
  /** The last one that the host says it has seen. */
  readonly hostSerial: number | undefined;
  /** Whether it may take the place of the newest order; undefined stands for bytes that are none. Anything by default. */
  readonly mayReplace?: (newest: Order | undefined) => boolean;
}

/** @throws HomelabError `unavailable` `ORDERED_MEANWHILE` when another signer was faster, or may not be replaced; theirs counts. */
export async function placeOrder(
  { bus, signer, clock }: PlaceOptions,
  { id, address, specification, statement, running, hostSerial, mayReplace }: OrderRequest,
  signal: AbortSignal,
): Promise<Order> {
  const newest = await bus.newestOrder(address, signal);
  const now = clock.now();
  const stored = newest === undefined ? undefined : serialOfStored(newest.envelope, now);
  const order = composeOrder(specification, {
    address,
    id: id ?? newOrderId(now),
    now,
    running,
    serials: [stored, hostSerial],
  });
  const mayPut =
    newest === undefined || mayReplace === undefined || mayReplace(unverifiedOrderOrNothing(newest.envelope));
  const envelope = signOrder(order, signer, statement);
  if (mayPut && (await bus.putOrder(address, envelope, newest?.sequence ?? 0, signal))) return order;
  throw new HomelabError("unavailable", `somebody else ordered for ${address.host} at the same moment`, {
    code: "ORDERED_MEANWHILE",
    hint: `see what it does now, then order again: homelab-deploy hosts show ${address.host}`,
  });
}
