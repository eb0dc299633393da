// Signs and stores the orders to fetch ahead that a rollout has told. Nothing depends on them: whatever keeps one from being stored
// is said, and the rollout goes on.
import { withDeadline } from "../../base/deadline.ts";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { StatedClosure } from "../../deploy/ordering/decide-plan.ts";
import type { Order } from "../../protocol/deploy/order.ts";
import type { HostName } from "../../protocol/names.ts";
import type { RolloutResult } from "../../protocol/rollout/rollout-events.ts";
import type { Rollout, RolloutHost } from "../../protocol/rollout/rollout.ts";
import type { HostViews } from "../host-views.ts";
import { placeFor, type Placed, type PlacingParts } from "../place-rollout-order.ts";

export interface AheadParts extends PlacingParts {
  /** What builders stated of the rollout's hosts. */
  readonly readStated: () => Promise<ReadonlyMap<HostName, StatedClosure>>;
  readonly views: Pick<HostViews, "stored">;
  readonly log: Log;
}

/** Nothing waits for it. */
const placingMs = 10_000;
/** @returns what happened to those that were not stored */
export async function placeAheadOrders(
  parts: AheadParts,
  rollout: Rollout,
  hosts: readonly HostName[],
  signal: AbortSignal,
): Promise<readonly RolloutResult[]> {
  const { readStated, views, clock, log } = parts;
  const deadline = {
    clock,
    milliseconds: placingMs,
    error: () =>
      new HomelabError("unavailable", "the order could not be stored in time", { code: "NATS_TIMEOUT" }),
  };
  const reading = readStated();
  const results = await Promise.all(
    hosts.map(async (name): Promise<RolloutResult | undefined> => {
      const host = rollout.hosts.get(name);
      if (host?.ahead === undefined) throw new TypeError(`${name} has nothing to fetch ahead`);
      const { order } = host.ahead;
      const ended = (detail: string): RolloutResult => ({ host: name, order, outcome: "not-taken", detail });
      try {
        const stated = (await reading).get(name);
        const placed = await withDeadline(deadline, signal, async (until) =>
          placeAhead(parts, rollout, host, stated, until),
        );
        if (placed !== "stored") return ended(whyNot[placed]);
        views.stored(name, order);
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof HomelabError)) throw error;
        log.warn({ rollout: rollout.id, host: name, err: error }, "a host cannot be told to fetch ahead");
        return ended(error.message.slice(0, 2000));
      }
    }),
  );
  return results.filter((result) => result !== undefined);
}

const whyNot: Readonly<Record<Exclude<Placed, "stored">, string>> = {
  overtaken: "something else is ordered there",
  "not-stated": "no builder has stated this closure any more",
};

/** Tells a host to fetch what it will be ordered to activate. An order that the host may still have to read stays. */
async function placeAhead(
  parts: PlacingParts,
  rollout: Rollout,
  host: RolloutHost,
  stated: StatedClosure | undefined,
  signal: AbortSignal,
): Promise<Placed> {
  const { ahead } = host;
  if (ahead === undefined) throw new TypeError(`${host.host} has nothing to fetch ahead`);
  const { path, order: id } = ahead;
  if (stated?.statement.path !== path) return "not-stated";
  const mayReplace = (newest: Order | undefined, hostSerial: number | undefined): boolean =>
    newest === undefined || newest.kind === "fetch" || isPast(newest, hostSerial, parts.clock.now());
  return placeFor(parts, rollout, host, { id, kind: "fetch", path, statement: stated, mayReplace }, signal);
}

/** The host has read it or a later one, or it is too old to be obeyed. */
const isPast = ({ serial, notAfter }: Order, hostSerial: number | undefined, now: Date): boolean =>
  (hostSerial !== undefined && serial <= hostSerial) || now.getTime() > Date.parse(notAfter) + lateMs;

/** Clocks of hosts may differ by it. */
const lateMs = 2 * 60_000;

/** Takes back an order to fetch ahead, where nothing else was ordered since. */
export async function withdrawAheadOrder(
  parts: PlacingParts,
  rollout: Rollout,
  host: RolloutHost,
  signal: AbortSignal,
): Promise<Placed> {
  const { ahead } = host;
  if (ahead?.withdrawal === undefined) throw new TypeError(`${host.host} has no fetch to be taken back`);
  const { path, order: withdraws, withdrawal: id } = ahead;
  const mayReplace = (newest: Order | undefined): boolean => newest?.id === withdraws;
  return placeFor(parts, rollout, host, { id, kind: "withdraw", path, withdraws, mayReplace }, signal);
}
