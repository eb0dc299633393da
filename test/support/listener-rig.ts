// A listener on a real bus, with an activator and a machine that are pretended.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { silentLog, type Log } from "../../src/base/log.ts";
import type { HostAddress } from "../../src/bus/deploy-bus.ts";
import { createListenerBus } from "../../src/bus/deploy/create-listener-bus.ts";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { watchJournal } from "../../src/deploy/listener/journal-watch.ts";
import { createJudge } from "../../src/deploy/listener/judge-order.ts";
import { runListener } from "../../src/deploy/listener/listener.ts";
import { createStateReader } from "../../src/deploy/listener/read-host-state.ts";
import type { SystemPaths, UnitState } from "../../src/host/system.ts";
import type { HostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import { createFakeActivator, type FakeActivator } from "./fake-activator.ts";
import { somePolicy, somePath } from "./deploy-orders.ts";

export interface ListenerRig extends AsyncDisposable {
  readonly activator: FakeActivator;
  readonly directory: string;
  readonly machine: { paths: SystemPaths; units: readonly UnitState[] };
  /** Ends the listener as its service does, and starts another one on the same journal. */
  restart(connection: Connection): Promise<void>;
  stop(): Promise<void>;
}

export interface ListenerRigOptions {
  readonly address: HostAddress;
  /** The caller's. */
  readonly connection: Connection;
  /** Opens another one as the same user. */
  readonly connectAnew?: () => Promise<Connection>;
  readonly policy?: object;
  readonly clock?: Clock;
  readonly log?: Log;
}

export async function startListener(options: ListenerRigOptions): Promise<ListenerRig> {
  const { address, connectAnew, clock = systemClock, log = silentLog } = options;
  const directory = await mkdtemp(join(tmpdir(), "homelab-listener-"));
  const activator = await createFakeActivator({ directory, address, clock });
  const policy: HostPolicy = somePolicy({ ...address, ...options.policy });
  const machine: ListenerRig["machine"] = {
    paths: {
      running: somePath("old"),
      etcStatic: undefined,
      booted: somePath("old"),
      permanent: { path: somePath("old"), generation: 1 },
      bootDefault: somePath("old"),
      bootId: "boot-1",
    },
    units: [],
  };
  const system = {
    readPaths: async () => machine.paths,
    readUnits: async () => machine.units,
    rebootParts: async () => [],
    readFile: async () => undefined,
  };
  let refusal: string | undefined;
  let running: { readonly ending: AbortController; readonly done: Promise<void> } | undefined;

  async function start(connection: Connection): Promise<void> {
    const ending = new AbortController();
    const ready = Promise.withResolvers<void>();
    const journal = watchJournal(directory, clock, log);
    const readPolicy = async (): Promise<HostPolicy> => policy;
    const done = runListener(
      {
        journal,
        directory,
        activator,
        judge: createJudge({ readPolicy, journal, system, clock }),
        refusals: {
          read: async () => refusal,
          async write(key) {
            refusal = key;
          },
        },
        readState: createStateReader({
          system,
          journal,
          readPolicy,
          storeDirectory: "/",
          bootDirectory: "/",
          version: "1.0.0",
          clock,
        }),
        runsFrom: async () => true,
        async sayNetwork(signal) {
          await activator.ask({ type: "network", oldNats: true, witnesses: [] }, signal);
        },
        openBus: async () => createListenerBus(connection, address),
        async openFreshBus() {
          if (connectAnew === undefined) throw new Error("no connection is opened here");
          const fresh = await connectAnew();
          return { ...createListenerBus(fresh, address), [Symbol.asyncDispose]: async () => fresh.close() };
        },
        onReady: async () => ready.resolve(),
        clock,
        log,
      },
      ending.signal,
    );
    running = { ending, done };
    await Promise.race([ready.promise, done]);
  }

  async function stop(): Promise<void> {
    running?.ending.abort(new Error("the test is over"));
    await running?.done;
    running = undefined;
  }

  await start(options.connection);
  return {
    activator,
    directory,
    machine,
    stop,
    async restart(connection) {
      await stop();
      await start(connection);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await activator[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
