// Several builders take from one queue, and the server gives each request to the one that has waited longest, however busy it
// is. So whoever is busy does not wait at the queue: it looks now and then whether something lies there that nobody took,
// which an idle builder would have got at once.
import type { Clock } from "../../base/clock.ts";
import type { Delivery } from "../../bus/bus.ts";
import { shareQueue, type OtherBuilders } from "../other-builders.ts";

/** How long a request may lie in the queue while everybody is busy: milliseconds, on average half of it. */
const lookMs = 250;

export type Pull = (
  signal: AbortSignal,
  options?: { readonly wait?: boolean },
) => Promise<Delivery | undefined>;

export interface TakeTurnsOptions {
  readonly others: OtherBuilders;
  /** There are builds here that are not over. */
  readonly isBusy: () => boolean;
  readonly clock: Pick<Clock, "sleep">;
}

/** The next request, or undefined when there was none for a while. Rejects with the signal's reason, and what `pull` throws. */
export type TakeTurns = (pull: Pull, signal: AbortSignal) => Promise<Delivery | undefined>;

export function createTakeTurns({ others, isBusy, clock }: TakeTurnsOptions): TakeTurns {
  async function isPolite(signal: AbortSignal): Promise<boolean> {
    if (!isBusy()) return false;
    const online = await others.online(signal);
    return online !== undefined && shareQueue(online);
  }
  return async (pull, signal) => {
    if (await isPolite(signal)) {
      await clock.sleep(lookMs, signal);
      return pull(signal, { wait: false });
    }
    const delivery = await pull(signal);
    // We have become busy since we began to wait. Who is idle gets it now, and if nobody is, it comes again.
    if (delivery?.deliveryCount === 1 && (await isPolite(signal))) {
      delivery.handBack(0);
      return undefined;
    }
    return delivery;
  };
}
