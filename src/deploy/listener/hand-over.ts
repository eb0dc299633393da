// From the newest order on NATS to the activator. Whatever happens on the way, it is the newest order that counts, and it is
// handed over again until the journal has it, or it was refused or replaced.
import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { createNotifier } from "../../base/notifier.ts";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ListenerBus, StoredOrder } from "../../bus/deploy-bus.ts";
import { base64Of, type OrderId } from "../../protocol/deploy/order.ts";
import type { Activator } from "../activator-messages.ts";
import type { OrderDecision } from "../decide-order.ts";
import type { Allowance } from "./allowance.ts";
import type { JournalWatch } from "./journal-watch.ts";
import type { Judge } from "./judge-order.ts";
import { waitAtMost } from "./wait-at-most.ts";

/** Which stored order was refused last: a listener that is started again must not refuse it again. */
export interface RefusalMemory {
  read(): Promise<string | undefined>;
  write(key: string): Promise<void>;
}

export interface HandOver {
  readonly bus: Pick<ListenerBus, "followOrders">;
  readonly judge: Judge;
  readonly activator: Activator;
  readonly journal: Pick<JournalWatch, "view" | "refresh">;
  readonly refusals: RefusalMemory;
  /** Each refusal wakes root, and whoever may publish can publish what is refused. */
  readonly mayRefuse: Allowance;
  /** Says who answers on the network, so that the deployment knows what did before it. */
  readonly sayNetwork: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

const againMs = 2000;
/** The process that deploys reads an order at once, or when it has ended the one before. It may also die before that. */
const unreadMs = 30_000;
/** However many orders come. */
const betweenMs = 1000;

export async function handOver(ports: HandOver, signal: AbortSignal): Promise<void> {
  const { bus, clock } = ports;
  const arrived = createNotifier();
  let newest: StoredOrder | undefined;
  /** The newest that the activator took, if it is that. */
  let taken: StoredOrder | undefined;
  let isOpen = false;
  async function follow(): Promise<void> {
    for await (const order of bus.followOrders(signal)) {
      newest = order;
      isOpen = true;
      arrived.notify();
    }
  }
  async function offer(): Promise<void> {
    while (!signal.aborted) {
      const order = newest;
      if (order === undefined || !isOpen) {
        await arrived.wait(signal).catch(() => undefined);
        continue;
      }
      const next =
        order === taken ? await offerAgain(ports, order, signal) : await offerOrder(ports, order, signal);
      if (next.type === "taken") taken = order;
      isOpen = next.type !== "settled" || newest !== order;
      await clock.sleep(betweenMs, signal).catch(() => undefined);
      if (next.type === "settled" || newest !== order) continue;
      await waitAtMost(arrived, pauseMs(next) - betweenMs, clock, signal);
    }
  }
  await Promise.all([follow(), offer()]);
}

type Offer =
  /** Nothing more is to be done about it. */
  | { readonly type: "settled" }
  /** The activator has it, and the journal not yet. */
  | { readonly type: "taken" }
  | { readonly type: "later"; readonly ms: number };

const pauseMs = (offer: Exclude<Offer, { readonly type: "settled" }>): number =>
  offer.type === "taken" ? unreadMs : offer.ms;

async function offerOrder(ports: HandOver, stored: StoredOrder, signal: AbortSignal): Promise<Offer> {
  const { judge, log } = ports;
  const fields = { sequence: stored.sequence };
  try {
    const decision = await judge(stored.envelope, signal);
    if (decision.type === "repeated") return { type: "settled" };
    if (decision.type === "rejected") return await refuse(ports, stored, decision, signal);
    return await give(ports, stored, decision.order.id, signal);
  } catch (error) {
    if (signal.aborted) return { type: "settled" };
    if (!(error instanceof HomelabError)) throw error;
    log.warn({ ...fields, err: error }, "an order cannot be handed over yet");
    return { type: "later", ms: againMs };
  }
}

/** One that was taken is the activator's: only when it was lost there, and could still be obeyed, is it handed over again. */
async function offerAgain(ports: HandOver, stored: StoredOrder, signal: AbortSignal): Promise<Offer> {
  const { judge, journal, log } = ports;
  try {
    const decision = await judge(stored.envelope, signal);
    if (decision.type !== "accepted") return { type: "settled" };
    const { id } = decision.order;
    await journal.refresh();
    const isKnown = journal.view()?.lines.some(({ event }) => event.order === id) ?? false;
    return isKnown ? { type: "settled" } : await give(ports, stored, id, signal);
  } catch (error) {
    if (signal.aborted) return { type: "settled" };
    if (!(error instanceof HomelabError)) throw error;
    log.warn({ sequence: stored.sequence, err: error }, "an order cannot be handed over yet");
    return { type: "taken" };
  }
}

async function give(
  { activator, sayNetwork, log }: HandOver,
  { envelope, sequence }: StoredOrder,
  order: OrderId,
  signal: AbortSignal,
): Promise<Offer> {
  await sayNetwork(signal);
  const { answer, detail } = await activator.ask({ type: "order", envelope: base64Of(envelope) }, signal);
  log.info({ sequence, order, answer, detail }, "an order was handed over");
  return { type: "taken" };
}

async function refuse(
  { activator, refusals, mayRefuse, log }: HandOver,
  stored: StoredOrder,
  { code, order, detail: said }: Extract<OrderDecision, { readonly type: "rejected" }>,
  signal: AbortSignal,
): Promise<Offer> {
  const key = keyOf(stored);
  if ((await refusals.read()) === key) return { type: "settled" };
  const waitMs = mayRefuse.take();
  if (waitMs > 0) return { type: "later", ms: waitMs };
  const detail = said.slice(0, 1000);
  await activator.ask({ type: "refused", code, detail, order }, signal);
  await refusals.write(key);
  log.warn({ sequence: stored.sequence, order, code, detail }, "an order was refused");
  return { type: "settled" };
}

/** The same bytes in a new message are refused again: somebody may be attacking. */
const keyOf = ({ sequence, envelope, storedAt }: StoredOrder): string =>
  `${sequence} ${storedAt.toISOString()} ${createHash("sha256").update(envelope).digest("hex")}`;
