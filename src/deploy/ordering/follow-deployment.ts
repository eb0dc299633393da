// Follows what one host does with one order, to its end or until no further event is to be expected.
import type { Clock } from "../../base/clock.ts";
import type { DeployMessage, DeployReader, HostAddress } from "../../bus/deploy-bus.ts";
import { deployExitCode } from "../../protocol/deploy/deploy-codes.ts";
import {
  applyDeployEvent,
  deploymentOf,
  emptyHostLog,
  type Deployment,
  type HostLog,
} from "../../protocol/deploy/deployment.ts";
import { unverifiedOrderOrNothing, type Order } from "../../protocol/deploy/order.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";

/**
 * - `ended`: it has its outcome
 * - `staged`: the next boot takes it, and nobody ordered one
 * - `superseded`: a newer order was stored before the host took this one
 * - `not-taken`: the host did not take it while it was valid
 * - `lost`: the host did not come back from its reboot
 */
export type FollowEnd =
  | { readonly type: "ended" | "staged" | "lost"; readonly deployment: Deployment }
  | { readonly type: "superseded" | "not-taken" };

export interface FollowOptions {
  readonly bus: Pick<DeployReader, "followHost" | "newestOrder">;
  readonly clock: Clock;
}

const lookMs = 10_000;
/** How long after its `notAfter`: clocks differ, and messages take time. */
const graceMs = 2 * 60_000 + 30_000;
/** A host that has been silent for this long after it went down is lost to its readers. */
const rebootMs = 15 * 60_000;

/**
 * @param fromIndex of the host's log, as it was before the order
 * @throws the signal's reason, and HomelabError when NATS refuses us
 */
export async function followDeployment(
  { bus, clock }: FollowOptions,
  {
    address,
    order,
    fromIndex,
  }: { readonly address: HostAddress; readonly order: Order; readonly fromIndex: number },
  onMessage: (message: DeployMessage, deployment: Deployment | undefined) => void,
  signal: AbortSignal,
): Promise<FollowEnd> {
  let log: HostLog = { ...emptyHostLog, nextIndex: fromIndex };
  let end: FollowEnd | undefined;
  const ended = new AbortController();
  const following = AbortSignal.any([signal, ended.signal]);
  const deployment = (): Deployment | undefined => deploymentOf(log, order.id);

  async function look(): Promise<void> {
    for (;;) {
      await clock.sleep(lookMs, following);
      const newest = deployment() === undefined ? await bus.newestOrder(address, following) : undefined;
      end ??= decideSilence(deployment(), order, newest?.envelope, clock.now());
      if (end !== undefined) return ended.abort();
    }
  }
  let failure: Error | undefined;
  const looking = look().catch((error: unknown) => {
    if (following.aborted) return;
    failure = error instanceof Error ? error : new TypeError(String(error));
    ended.abort();
  });
  try {
    for await (const message of bus.followHost(address, fromIndex, following)) {
      if (message.type === "event") log = applyDeployEvent(log, message.event);
      const now = deployment();
      onMessage(message, now);
      end ??= now === undefined ? undefined : decideEnd(now, order);
      if (end !== undefined) break;
    }
  } catch (error) {
    if (!ended.signal.aborted) throw error;
  } finally {
    ended.abort();
    await looking;
  }
  if (end !== undefined) return end;
  signal.throwIfAborted();
  throw failure ?? new TypeError(`the log of ${address.host} ended`);
}

function decideEnd(deployment: Deployment, { reboot }: Order): FollowEnd | undefined {
  if (deployment.end !== undefined) return { type: "ended", deployment };
  return deployment.phase === "staged" && reboot === "never" ? { type: "staged", deployment } : undefined;
}

/** Whether nothing is to be expected any more of a host that says nothing. */
export function decideSilence(
  deployment: Deployment | undefined,
  order: Order,
  newest: Uint8Array | undefined,
  now: Date,
): FollowEnd | undefined {
  if (deployment === undefined) {
    // Bytes that are not an order take the place of ours all the same.
    if (newest !== undefined && unverifiedOrderOrNothing(newest)?.id !== order.id)
      return { type: "superseded" };
    return now.getTime() > Date.parse(order.notAfter) + graceMs ? { type: "not-taken" } : undefined;
  }
  const silentMs = now.getTime() - Date.parse(deployment.since);
  return deployment.phase === "rebooting" && silentMs > rebootMs ? { type: "lost", deployment } : undefined;
}

/** A host that does not run what was ordered is never success. */
export function exitCodeOfEnd(end: FollowEnd, { action }: Pick<Order, "action">): number {
  switch (end.type) {
    case "ended": {
      const { outcome, code } = end.deployment.end ?? { outcome: "failed" };
      return deployExitCode(outcome, code);
    }
    case "staged":
      return action === "boot" ? exitCodes.success : exitCodes.unavailable;
    case "superseded":
    case "not-taken":
    case "lost":
      return exitCodes.unavailable;
  }
}
