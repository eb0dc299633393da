// An activator that decides nothing: it takes what it is told to take, and writes the journal as a deployment would.
import type { Clock } from "../../src/base/clock.ts";
import { HomelabError } from "../../src/base/errors.ts";
import type { Activator, ActivatorRequest } from "../../src/deploy/activator-messages.ts";
import { openJournal } from "../../src/deploy/journal-file.ts";
import type { EventBody, Journal, JournalEntry } from "../../src/deploy/journal.ts";
import type { HostAddress } from "../../src/bus/deploy-bus.ts";
import { bytesOf, unverifiedOrder, type Order } from "../../src/protocol/deploy/order.ts";

export interface FakeActivator extends Activator {
  readonly requests: readonly ActivatorRequest[];
  readonly orders: readonly Order[];
  isAway: boolean;
  /** How often somebody asked while it was away. */
  attempts: number;
  announce(event: EventBody, extra?: Omit<JournalEntry, "event">): Promise<void>;
}

export interface FakeActivatorOptions {
  readonly directory: string;
  readonly address: HostAddress;
  readonly clock: Clock;
}

export async function createFakeActivator({
  directory,
  address,
  clock,
}: FakeActivatorOptions): Promise<FakeActivator & AsyncDisposable> {
  const journal: Journal & AsyncDisposable = await openJournal({
    directory,
    ...address,
    bootId: "boot-1",
    clock,
  });
  const requests: ActivatorRequest[] = [];
  const orders: Order[] = [];
  let appending: Promise<unknown> = Promise.resolve();
  /** One after the other, as the process that deploys does. */
  const announce: FakeActivator["announce"] = async (event, extra) => {
    const appended = appending.then(async () => journal.append({ event, ...extra }));
    appending = appended;
    await appended;
  };

  const activator: FakeActivator & AsyncDisposable = {
    requests,
    orders,
    isAway: false,
    attempts: 0,
    announce,
    async ask(request) {
      if (activator.isAway) {
        activator.attempts++;
        throw new HomelabError("unavailable", "nobody is there", { code: "ACTIVATOR_UNREACHABLE" });
      }
      requests.push(request);
      if (request.type === "refused") {
        const { code, detail, order } = request;
        await announce({ type: "rejected", order, code, detail });
        return { answer: "noted" };
      }
      if (request.type !== "order") return { answer: "noted" };
      const order = unverifiedOrder(bytesOf(request.envelope));
      const { id, kind, action, path, serial, by } = order;
      await announce(
        { type: "received", order: id, kind, action, path, serial, by },
        { envelope: request.envelope },
      );
      orders.push(order);
      return { answer: "taken" };
    },
    [Symbol.asyncDispose]: async () => journal[Symbol.asyncDispose](),
  };
  return activator;
}
