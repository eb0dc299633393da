// Many listeners in this process, on a real server with the rights that `nats config` prints: each with a key, a connection and
// a journal of its own, and an activator that only takes what it is given.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { createDeployBus } from "../../src/bus/deploy/create-deploy-bus.ts";
import type { DeployBus, HostAddress } from "../../src/bus/deploy-bus.ts";
import { openManager } from "../../src/bus/jetstream-api.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { inboxPrefixOf, type NatsUser } from "../../src/bus/server/permissions.ts";
import { serverConfig } from "../../src/bus/server/server-config.ts";
import { setUpStreams } from "../../src/bus/server/setup.ts";
import { parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { startListener, type ListenerRig } from "./listener-rig.ts";
import { connectTo, serverVersion, startNatsServer } from "./nats-server.ts";
import { signedOrder } from "./deploy-orders.ts";

export interface ListenerFleet extends AsyncDisposable {
  readonly operator: DeployBus;
  /** How many states were stored since the server was set up. */
  countStates(): Promise<number>;
  /** Orders something of each host. @returns milliseconds until the last one was stored, and until the last one was heard */
  orderAll(signal: AbortSignal): Promise<{ readonly storedMs: number; readonly heardMs: number }>;
}

const repo = parseRepoName("fleet");
const atOnce = 50;

/** In the order of the items, so many at a time. */
async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += atOnce) {
    results.push(...(await Promise.all(items.slice(at, at + atOnce).map(work))));
  }
  return results;
}

export async function startFleet(count: number): Promise<ListenerFleet> {
  await using cleanup = new AsyncDisposableStack();
  const keys = await mkdtemp(join(tmpdir(), "homelab-fleet-keys-"));
  cleanup.defer(async () => rm(keys, { recursive: true, force: true }));
  await mkdir(keys, { recursive: true });
  const fileOf = (name: string): string => join(keys, `${name}.nk`);
  const addresses = Array.from({ length: count }, (_, index): HostAddress => ({
    repo,
    host: parseHostName(`host${index}`),
  }));
  const users: readonly NatsUser[] = [
    { role: "admin", publicKey: await writeNewKey(fileOf("admin")) },
    { role: "operator", publicKey: await writeNewKey(fileOf("operator")) },
    ...(await inTurn(addresses, async (address): Promise<NatsUser> => ({
      role: "listener",
      ...address,
      publicKey: await writeNewKey(fileOf(address.host)),
    }))),
  ];
  const version = await serverVersion();
  const server = cleanup.use(
    await startNatsServer(({ port, storeDirectory }) =>
      serverConfig({ listen: `127.0.0.1:${port}`, storeDirectory, serverVersion: version, users }),
    ),
  );
  const connect = async (user: NatsUser, file: string): Promise<Connection> =>
    cleanup.use(
      await connectTo(server, { nkeyFile: fileOf(file), inboxPrefix: inboxPrefixOf(user), role: "daemon" }),
    );
  const admin = await connect({ role: "admin", publicKey: "" }, "admin");
  await setUpStreams(admin);
  const operator = createDeployBus(await connect({ role: "operator", publicKey: "" }, "operator"));
  const rigs = await inTurn(addresses, async (address): Promise<ListenerRig> => {
    const connection = await connect({ role: "listener", ...address, publicKey: "" }, address.host);
    return cleanup.use(await startListener({ address, connection }));
  });
  const owned = cleanup.move();

  return {
    operator,
    async countStates() {
      const { state } = await (await openManager(admin)).streams.info("KV_hosts");
      return state.last_seq;
    },
    async orderAll(signal) {
      const orders = addresses.map((address) => ({
        address,
        ...signedOrder({
          now: new Date(),
          order: { ...address, serial: Date.now() },
          statement: { ...address },
        }),
      }));
      const startedAt = performance.now();
      let storedMs = 0;
      async function put({ address, envelope }: (typeof orders)[number]): Promise<void> {
        if (!(await operator.putOrder(address, envelope, 0, signal)))
          throw new Error("somebody else ordered");
        storedMs = performance.now() - startedAt;
      }
      await Promise.all(orders.map(put));
      // Handed over, that is: what it then costs to write it down is the disk's.
      const isHeard = ({ activator }: ListenerRig): boolean =>
        activator.requests.some(({ type }) => type === "order");
      while (!rigs.every(isHeard)) {
        signal.throwIfAborted();
        const { promise, resolve } = Promise.withResolvers<void>();
        setImmediate(resolve);
        await promise;
      }
      return { storedMs, heardMs: performance.now() - startedAt };
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}
