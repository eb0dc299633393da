// The listener as a daemon: its identity from the policy of the host, its key, its connections.
import * as v from "valibot";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { hasCode } from "../../base/errors.ts";
import { createJsonFile } from "../../base/files/json-file.ts";
import type { Log } from "../../base/log.ts";
import { connectNats, type Connection, type ConnectionOptions } from "../../bus/connect/connection.ts";
import { createListenerBus } from "../../bus/deploy/create-listener-bus.ts";
import { inboxPrefixOf } from "../../bus/server/permissions.ts";
import type { ListenerSettings } from "../../config/listener-schema.ts";
import { policyOf } from "../../deploy/activation.ts";
import type { Activator } from "../../deploy/activator-messages.ts";
import { createActivatorClient } from "../../deploy/listener/activator-client.ts";
import { watchJournal } from "../../deploy/listener/journal-watch.ts";
import { createJudge } from "../../deploy/listener/judge-order.ts";
import { runListener } from "../../deploy/listener/listener.ts";
import { dialTcp, lookAtNetwork } from "../../deploy/listener/network-evidence.ts";
import { createStateReader } from "../../deploy/listener/read-host-state.ts";
import type { System } from "../../host/system.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { HostPolicy } from "../../protocol/deploy/host-policy.ts";
import { createExec } from "../../process/create-exec.ts";
import { readPolicy as readPolicyFile } from "../deploy/read-policy.ts";
import { ownListenerKey } from "./listener-key.ts";
import { notifyReady } from "../notify-ready.ts";
import { createRecentState } from "./recent-state.ts";
import { programVersion } from "../program-version.ts";
import { prepareStateDirectory } from "../state-directory.ts";

export type ListenerTarget = Omit<ConnectionOptions, "name" | "role">;

export interface ListenerDaemonOptions {
  readonly settings: ListenerSettings;
  /**
   * Where NATS is and how we sign in, from the configuration as it is in the file now.
   * @param servers of the policy, for a configuration that names none
   */
  readonly readTarget: (servers: readonly string[]) => Promise<ListenerTarget>;
  readonly system: System;
  /** For tests; otherwise the socket of the settings. */
  readonly activator?: Activator;
  readonly clock: Clock;
  readonly environment: Environment;
  readonly log: Log;
}

const bootDirectory = "/boot";
const storeDirectory = "/nix/store";

/** Until the signal aborts. @throws HomelabError `config` for what keeps it from starting at all */
export async function runListenerDaemon(options: ListenerDaemonOptions, signal: AbortSignal): Promise<void> {
  const { settings, system, clock, environment, log } = options;
  const readPolicy = async (): Promise<HostPolicy> => readPolicyFile(settings.policyFile);
  const { repo, host } = await readPolicy();
  await prepareStateDirectory(settings.stateDirectory, "listener.stateDirectory");
  const journal = watchJournal(settings.journalDirectory, clock, log);
  const activator = options.activator ?? createActivatorClient(settings.socket, clock);
  const connect = await createConnect(options, { repo, host }, readPolicy);
  const version = programVersion();
  const { read: readState, recent: recentState } = createRecentState(
    createStateReader({ system, journal, readPolicy, storeDirectory, bootDirectory, version, clock }),
    clock,
    log,
  );
  const refused = createJsonFile(
    join(settings.stateDirectory, "refused.json"),
    v.object({ key: v.string() }),
  );
  const opened: Connection[] = [];
  const ended = new AbortController();
  const { listen } = settings.metrics;
  const serving = listen === undefined ? undefined : serve(listen, AbortSignal.any([signal, ended.signal]));
  async function serve(address: string, until: AbortSignal): Promise<void> {
    // Loaded only where it is wanted: every host has a listener, and it is to be small.
    const { serveMetrics } = await import("./serve-metrics.ts");
    const isNatsConnected = (): boolean => opened.some((connection) => connection.isConnected());
    const identity = { repo, host };
    await serveMetrics(
      { listen: address, identity, version, journal, recentState, isNatsConnected, clock, log },
      until,
    );
  }

  try {
    await runListener(
      {
        journal,
        directory: settings.journalDirectory,
        judge: createJudge({ readPolicy, journal, system, clock }),
        activator,
        refusals: {
          read: async () => (await refused.read())?.key,
          write: async (key) => refused.write({ key }),
        },
        readState,
        runsFrom: async ({ order }, until) => mayRunFrom(order.path, options, until),
        async sayNetwork(until) {
          const current = journal.view()?.memory.current;
          const before = current?.baseline?.running;
          // What the old system knew: the new one may know nothing that works.
          const policy = (before && (await policyOf(system, before))) ?? (await readPolicy());
          const evidence = await lookAtNetwork(policy, dialTcp, clock, until);
          await activator.ask({ type: "network", order: current?.order.id, ...evidence }, until);
        },
        async openBus(until) {
          const connection = await connect("daemon", until);
          opened.push(connection);
          return createListenerBus(connection, { repo, host });
        },
        async openFreshBus(until) {
          const connection = await connect("command", until);
          const bus = createListenerBus(connection, { repo, host });
          return { ...bus, [Symbol.asyncDispose]: async () => connection.close() };
        },
        onReady: async () => notifyReady({ exec: createExec(clock), environment, log }, signal),
        clock,
        log,
      },
      signal,
    );
  } finally {
    ended.abort(new Error("the listener ends"));
    await serving;
    await Promise.all(opened.map(async (connection) => connection.close()));
  }
}

/** The activator checks this itself, as root. What we cannot find out does not keep us from reporting. */
async function mayRunFrom(
  path: StorePath,
  { system, log }: ListenerDaemonOptions,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return await system.isProgramOf(process.pid, path, signal);
  } catch (error) {
    signal.throwIfAborted();
    log.debug({ err: error }, "we cannot tell whether we belong to the new system");
    return true;
  }
}

/** Says who we are from the policy, where the configuration does not. */
async function createConnect(
  { readTarget, settings, clock, log }: ListenerDaemonOptions,
  identity: Pick<HostPolicy, "repo" | "host">,
  readPolicy: () => Promise<HostPolicy>,
): Promise<(role: ConnectionOptions["role"], signal: AbortSignal) => Promise<Connection>> {
  const { nkeyFile, credentialsFile, password, token } = await readTarget((await readPolicy()).natsServers);
  const hasSignIn = [nkeyFile, credentialsFile, password, token].some((way) => way !== undefined);
  const own = hasSignIn ? undefined : await ownListenerKey(settings.stateDirectory, log);
  const tellAdmission = own === undefined ? log : admissionLog(log, own.publicKey, clock);
  return async (role, signal) => {
    const target = await readTarget((await readPolicy()).natsServers);
    const options: ConnectionOptions = {
      ...target,
      ...(own === undefined ? {} : { nkeyFile: own.nkeyFile }),
      inboxPrefix: target.inboxPrefix ?? inboxPrefixOf({ role: "listener", ...identity }),
      name: `homelab-deploy listener ${identity.repo}/${identity.host}`,
      role,
    };
    return connectNats(options, role === "daemon" ? tellAdmission : log, signal, clock);
  };
}

const repeatMs = 10 * 60_000;

/** A host that waits to be admitted tries every few seconds, perhaps for days: it says so now and then. */
function admissionLog(log: Log, publicKey: string, clock: Clock): Log {
  let saidAt = Number.NEGATIVE_INFINITY;
  return {
    ...log,
    warn(fields, message) {
      if (!hasCode(fields["err"], "NATS_AUTH")) return log.warn(fields, message);
      if (clock.monotonic() - saidAt < repeatMs) return log.debug(fields, message);
      saidAt = clock.monotonic();
      log.warn({ publicKey }, "not admitted: NATS does not know this host's key yet");
    },
  };
}
