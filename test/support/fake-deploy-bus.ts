// The deploy bus in memory: for tests of those who sign and read. A host is what the test makes of it.
import { createNotifier, type Notifier } from "../../src/base/notifier.ts";
import type { DeployBus, DeployMessage, HostAddress, StoredOrder } from "../../src/bus/deploy-bus.ts";
import type { DeployEvent } from "../../src/protocol/deploy/deploy-events.ts";
import { HostState, type Hold } from "../../src/protocol/deploy/host-state.ts";
import { unverifiedOrder, type Order } from "../../src/protocol/deploy/order.ts";
import * as v from "valibot";
import { somePath } from "./deploy-orders.ts";

export interface FakeDeployBus extends DeployBus {
  readonly states: Map<string, HostState>;
  readonly orders: { readonly address: HostAddress; readonly order: Order; readonly envelope: Uint8Array }[];
  readonly kept: Map<string, Hold>;
  /** The host appends to its log. */
  say(event: DeployEvent): void;
  /** Called with each order once it is stored. */
  onOrder: ((order: Order) => void) | undefined;
}

const nameOf = ({ repo, host }: { readonly repo: string; readonly host: string }): string =>
  `${repo}/${host}`;

export function createFakeDeployBus(states: readonly HostState[] = []): FakeDeployBus {
  const newest = new Map<string, StoredOrder>();
  const logs = new Map<string, DeployEvent[]>();
  const followers = new Set<Notifier>();
  const logOf = (address: HostAddress): DeployEvent[] => {
    const known = logs.get(nameOf(address)) ?? [];
    logs.set(nameOf(address), known);
    return known;
  };
  let sequence = 0;
  const bus: FakeDeployBus = {
    states: new Map(states.map((state) => [nameOf(state), state])),
    orders: [],
    kept: new Map(),
    onOrder: undefined,
    say(event) {
      logOf(event).push(event);
      for (const follower of followers) follower.notify();
    },
    hostStates: async (_, repo) =>
      [...bus.states.values()].filter((state) => repo === undefined || state.repo === repo),
    hostState: async (address) => bus.states.get(nameOf(address)),
    newestOrder: async (address) => newest.get(nameOf(address)),
    readDeployEvents: async (address, fromIndex) => logOf(address).filter(({ index }) => index >= fromIndex),
    async openHostLog(address, from) {
      let given = from === "end" ? logOf(address).length : 0;
      return {
        async readMore() {
          const events = logOf(address).slice(given);
          given += events.length;
          return events;
        },
      };
    },
    async *followHost(address, fromIndex, signal): AsyncGenerator<DeployMessage> {
      const notifier = createNotifier();
      followers.add(notifier);
      let given = 0;
      try {
        while (!signal.aborted) {
          const event = logOf(address)[given];
          if (event === undefined) {
            await notifier.wait(signal).catch(() => undefined);
            continue;
          }
          given++;
          if (event.index >= fromIndex) yield { type: "event", event };
        }
      } finally {
        followers.delete(notifier);
      }
    },
    readOutput: async () => [],
    async *outputAfter() {},
    holds: async () => bus.kept,
    async putOrder(address, envelope, afterSequence) {
      if ((newest.get(nameOf(address))?.sequence ?? 0) !== afterSequence) return false;
      newest.set(nameOf(address), { envelope, sequence: ++sequence, storedAt: new Date() });
      const order = unverifiedOrder(envelope);
      bus.orders.push({ address, order, envelope });
      bus.onOrder?.(order);
      return true;
    },
    async putHold(repo, host, hold) {
      if (hold === undefined) bus.kept.delete(`${repo}/${host}`);
      else bus.kept.set(`${repo}/${host}`, hold);
    },
  };
  return bus;
}

export const someHostState = (changes: object = {}): HostState =>
  v.parse(HostState, {
    repo: "nixos-servers",
    host: "web01",
    at: "2026-11-29T12:00:58.000Z",
    seq: 1,
    bootId: "boot-1",
    version: "0.1.0",
    system: "x86_64-linux",
    running: { path: somePath("old"), commit: "4be10a9".padEnd(40, "0"), since: "2026-11-20T12:00:00.000Z" },
    booted: { path: somePath("old") },
    permanent: { path: somePath("old"), generation: 12 },
    bootDefault: { path: somePath("old") },
    serial: 7,
    clock: { ok: true },
    ...changes,
  });
