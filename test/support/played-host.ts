// A host as NATS sees it: a real listener's connection and rights, a host's real decision about each order, and then what
// the test wants it to do. Nothing is activated.
import { createListenerBus } from "../../src/bus/deploy/create-listener-bus.ts";
import type { Connection } from "../../src/bus/connect/connection.ts";
import type { HostAddress } from "../../src/bus/deploy-bus.ts";
import { decideOrder } from "../../src/deploy/decide-order.ts";
import type { HostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import type { HostState } from "../../src/protocol/deploy/host-state.ts";
import type { Order } from "../../src/protocol/deploy/order.ts";
import type { StorePath } from "../../src/protocol/names.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { scriptDeployments, type DeployScript } from "./deploy-events.ts";

export interface PlayedHost extends AsyncDisposable {
  /** What it does with the next orders that it accepts. */
  play: (script: DeployScript, order: Order) => DeployScript;
  /** Accepted orders, and codes of refusals, in order. */
  readonly seen: (Order | string)[];
  readonly state: () => HostState;
  /** How many events it has told. */
  readonly told: () => number;
  /** Before each event. */
  delayMs: number;
}

/** @param connection of the host's listener; closed with it */
export async function playHost(
  connection: Connection,
  { policy, state }: { readonly policy: HostPolicy; readonly state: HostState },
): Promise<PlayedHost> {
  const address: HostAddress = { repo: policy.repo, host: policy.host };
  const bus = createListenerBus(connection, address);
  const over = new AbortController();
  let [current, serial, index] = [state, state.serial ?? 0, 0];
  let lastOrder: Order["id"] | undefined;
  const played: PlayedHost = {
    play: (script) => script.add("received").add("finished"),
    seen: [],
    state: () => current,
    told: () => index,
    delayMs: 0,
    async [Symbol.asyncDispose]() {
      over.abort();
      await following;
      await connection.close();
    },
  };

  async function put(change: Partial<HostState>): Promise<void> {
    current = { ...current, ...change, at: new Date().toISOString(), seq: current.seq + 1, serial };
    await bus.putHostState(current, over.signal);
  }

  async function obey(envelope: Uint8Array): Promise<void> {
    const running: StorePath | undefined = current.running.path ?? undefined;
    const previous = current.previous?.path;
    const decision = decideOrder({
      envelope,
      policy,
      memory: { serial, lastOrder, firstStart: new Date(0).toISOString(), previous, isStuck: false },
      running,
      isHandMade: false,
      now: new Date(),
    });
    if (decision.type === "repeated") return;
    const order = decision.type === "accepted" ? decision.order.id : decision.order;
    const script = scriptDeployments({ ...address, order, firstIndex: index });
    if (decision.type === "rejected") {
      played.seen.push(decision.code);
      script.add("rejected", { code: decision.code, detail: decision.detail, serial });
    } else {
      ({ serial } = decision.order);
      lastOrder = decision.order.id;
      played.seen.push(decision.order);
      played.play(script, decision.order);
    }
    for (const event of script.events) {
      await sleep(played.delayMs);
      await bus.appendEvent({ ...event, at: new Date().toISOString() }, over.signal);
      index = event.index + 1;
    }
    const completed = script.events.some(
      (event) => event.type === "finished" && event.outcome === "completed",
    );
    const changes = ["activate", "rollback"];
    if (decision.type === "accepted" && completed && changes.includes(decision.order.kind)) {
      const { path } = decision.order;
      const before = running === undefined ? undefined : { path: running };
      await put({
        running: { path, since: new Date().toISOString(), commit: decision.statement?.commit },
        permanent: { path },
        bootDefault: { path },
        previous: decision.order.kind === "rollback" ? undefined : before,
      });
    } else await put({});
  }

  async function follow(): Promise<void> {
    for await (const { envelope } of bus.followOrders(over.signal)) await obey(envelope);
  }

  /** Each minute, as a listener does. */
  async function beat(): Promise<void> {
    for (;;) {
      await sleep(54_000 + Math.random() * 12_000, undefined, { signal: over.signal });
      await put({});
    }
  }
  await put({});
  const following = Promise.all([follow(), beat()]).catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  return played;
}
