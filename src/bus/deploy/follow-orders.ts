// The newest order of a host, whenever there is another. A live message only says that it is worth looking: anybody may have
// made it appear, and nobody promises that it comes.
import { createNotifier } from "../../base/notifier.ts";
import { live, orderSubject, streams } from "../../protocol/subjects.ts";
import type { Connection } from "../connect/connection.ts";
import { explainNatsError } from "../connect/nats-errors.ts";
import type { HostAddress, StoredOrder } from "../deploy-bus.ts";
import { createStreamReader } from "../stored-messages.ts";
import { storedOrder } from "./stored-order.ts";

/** Spread, because all hosts connect again at the same moment. */
const lookEveryMs = (random: number): number => 54_000 + 12_000 * random;
/** However many live messages come, one look a second finds the newest order. */
const betweenLooksMs = 1000;

/** Until the signal aborts. While NATS is away it waits. */
export async function* followOrders(
  connection: Connection,
  address: HostAddress,
  signal: AbortSignal,
): AsyncGenerator<StoredOrder, void, void> {
  const { nats, clock, log } = connection;
  const notifier = createNotifier();
  const orders = createStreamReader(connection, streams.orders);
  const stopListening = connection.onChange((connected) => {
    if (connected) notifier.notify();
  });
  const subscription = nats.subscribe(live(orderSubject(address)), {
    callback: (error) => {
      if (error !== null) log.warn({ err: explainNatsError(error, "hear of orders") }, "orders arrive late");
      notifier.notify();
    },
  });
  const over = new AbortController();
  async function lookNowAndThen(): Promise<void> {
    for (;;) {
      await clock.sleep(lookEveryMs(Math.random()), over.signal);
      notifier.notify();
    }
  }
  void lookNowAndThen().catch(() => undefined); // over

  async function look(): Promise<StoredOrder | undefined> {
    try {
      return storedOrder(await connection.whileConnected(orders.last(orderSubject(address)), signal));
    } catch (error) {
      if (signal.aborted) return undefined;
      log.warn({ err: explainNatsError(error, "read our order", connection) }, "our orders cannot be read");
      retry = true;
      return undefined;
    }
  }

  let retry = true;
  let given: number | undefined;
  try {
    while (!signal.aborted) {
      if (!retry || !connection.isConnected()) await notifier.wait(signal).catch(() => undefined);
      if (signal.aborted) return;
      if (!connection.isConnected()) continue;
      retry = false;
      const order = await look();
      // Not only later ones: a recreated stream counts from 1 again.
      if (order !== undefined && order.sequence !== given) {
        given = order.sequence;
        yield order;
      }
      await clock.sleep(betweenLooksMs, signal).catch(() => undefined);
    }
  } finally {
    over.abort();
    stopListening();
    subscription.unsubscribe();
  }
}
