// The connection to NATS: who we are, how far we trust the server, and what happens when it goes away.
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { systemClock, type Clock } from "../../base/clock.ts";
import { HomelabError, messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { retry } from "../../base/retry.ts";
import { readHeadersLeniently } from "./lenient-headers.ts";
import { signInOptions, type SignIn } from "./sign-in.ts";
import {
  ConnectionLostError,
  explainConnectError,
  explainNatsError,
  permissionViolationOf,
} from "./nats-errors.ts";
import { clusterNameOf } from "./describe-missing.ts";
import { createDeparture, leaveAfterMs, type Departure } from "./leave-server.ts";
import { requireDomainName, requireInboxPrefix } from "./domain-name.ts";
import { tlsOptions, type TlsFiles } from "./tls-options.ts";
import { connectOverTransport, refusalOfCertificate, type TransportOptions } from "./transport.ts";

export interface ConnectionOptions extends SignIn {
  /** `nats://host:port`; `tls://host:port` demands TLS of all of them. */
  readonly servers: readonly string[];
  /** Present, even empty, it demands TLS. */
  readonly tls?: TlsFiles;
  /** Where answers come back: `_INBOX_operator`. Without it the library's `_INBOX`. */
  readonly inboxPrefix?: string;
  /** The domain of the JetStream that has our streams, where it is not the server's own: on a leaf node. */
  readonly jetstreamDomain?: string;
  /** Shown by the server's monitoring. */
  readonly name: string;
  /** A daemon waits for a server forever. A command fails when there is none, and after a minute without one. */
  readonly role: "daemon" | "command";
}

/** A connection that knows whether it is up. */
export interface Connection extends AsyncDisposable {
  readonly nats: NatsConnection;
  readonly role: ConnectionOptions["role"];
  readonly jetstreamDomain: string | undefined;
  /** The name of the cluster that the server is one of; also while there is no server. */
  readonly cluster: string | undefined;
  /** Undefined for the library's own. */
  readonly inboxPrefix: string | undefined;
  readonly log: Log;
  readonly clock: Clock;
  isConnected(): boolean;
  /** Calls back at each loss and each return of the server; the result ends that. */
  onChange(listener: (connected: boolean) => void): () => void;
  /** @throws HomelabError `unavailable` when the connection is closed for good; the signal's reason. */
  whenConnected(signal: AbortSignal): Promise<void>;
  /**
   * Waits for an answer. The client lets requests run into their timeout when the connection breaks; this rejects
   * at once.
   * @throws ConnectionLostError; the signal's reason; what the work throws.
   */
  whileConnected<T>(work: Promise<T>, signal: AbortSignal): Promise<T>;
  /** Goes to another server of the cluster, because ours finds no leader. Not again until that one had time to find it. */
  leaveServer(): void;
  close(): Promise<void>;
}

/** Milliseconds. A daemon notices a dead peer after at most three pings. */
const timing = { connect: 5000, ping: 10_000, reconnect: 1000, reconnectJitter: 500 } as const;
const commandReconnects = 60;
const firstConnectPolicy = {
  attempts: Number.POSITIVE_INFINITY,
  firstDelayMs: 500,
  factor: 2,
  maxDelayMs: 10_000,
};

/**
 * Connects, and stays connected as the role wants it.
 *
 * @throws HomelabError `unavailable` `NATS_UNREACHABLE`, `refused` `NATS_AUTH` (commands only: a daemon tries
 *   again), `config` for a file that is missing or no key; the signal's reason.
 */
export async function connectNats(
  options: ConnectionOptions,
  log: Log,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<Connection> {
  readHeadersLeniently();
  requireDomainName(options.jetstreamDomain);
  requireInboxPrefix(options.inboxPrefix);
  const refusals = createRefusalLog(options.servers, log);
  const departure = createDeparture();
  const libraryOptions: TransportOptions = {
    ...(await libraryOptionsOf(options)),
    ...departure.options,
    onFailedDial: refusals.add,
  };
  const nats = await retry({
    policy: firstConnectPolicy,
    clock,
    signal,
    async attempt() {
      try {
        return await dial(libraryOptions, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw explainConnectError(error, options.servers);
      }
    },
    isTransient: (error) =>
      options.role === "daemon" && !(error instanceof HomelabError && error.kind === "config"),
    onRetry: (error, _, delayMs) => log.warn({ err: error, delayMs }, messageOf(error)),
  });
  return watch(nats, options, { refusals, departure }, log, clock);
}

/** In no permissions that we print: who asks for it wants to know whether the server refuses. */
export const nobodysSubject = "homelab-deploy.nobody";

const isAboutNobody = (error: unknown): boolean => permissionViolationOf(error)?.subject === nobodysSubject;

/** The library cannot abort a connect: one that comes through too late is closed. */
async function dial(options: TransportOptions, signal: AbortSignal): Promise<NatsConnection> {
  signal.throwIfAborted();
  const dialling = connectOverTransport(options);
  try {
    return await whileNotAborted(dialling, signal);
  } catch (error) {
    dialling.then(
      async (late) => late.close(),
      () => {},
    );
    throw error;
  }
}

async function libraryOptionsOf(options: ConnectionOptions): Promise<NodeConnectionOptions> {
  // With `tls` unset the client takes whatever the server offers: `tls://` would silently connect in the clear.
  const demandsTls = options.tls !== undefined || options.servers.some((url) => url.startsWith("tls://"));
  return {
    servers: [...options.servers],
    name: options.name,
    ...(await signInOptions(options)),
    ...(demandsTls ? { tls: await tlsOptions(options.tls) } : {}),
    inboxPrefix: options.inboxPrefix,
    timeout: timing.connect,
    pingInterval: timing.ping,
    maxPingOut: 2,
    reconnectTimeWait: timing.reconnect,
    reconnectJitter: timing.reconnectJitter,
    reconnectJitterTLS: timing.reconnectJitter,
    maxReconnectAttempts: options.role === "daemon" ? -1 : commandReconnects,
    // Without it a user that a configuration reload removes, even for a moment, ends the daemon's client for good.
    ignoreAuthErrorAbort: options.role === "daemon",
  };
}

interface RefusalLog {
  add(error: unknown): void;
  /** What is refused from here on is said again. */
  begin(): void;
}

/** What keeps us from connecting again although there is a server, once for each outage. */
function createRefusalLog(servers: readonly string[], log: Log): RefusalLog {
  // Who connects for the first time is told by what is thrown.
  let said: Set<string> | undefined;
  return {
    add(error) {
      const refusal = explainConnectError(error, servers);
      if (said === undefined || refusal.kind === "unavailable" || said.has(refusal.message)) return;
      said.add(refusal.message);
      log.warn({ err: refusal }, refusal.message);
    },
    begin() {
      said = new Set();
    },
  };
}

function watch(
  nats: NatsConnection,
  options: ConnectionOptions,
  { refusals, departure }: { readonly refusals: RefusalLog; readonly departure: Departure },
  log: Log,
  clock: Clock,
): Connection {
  let connected = true;
  let connectedAt = clock.monotonic();
  let closedForGood = false;
  let cluster = clusterNameOf(nats.info);
  const listeners = new Set<(connected: boolean) => void>();

  const change = (now: boolean): void => {
    if (now === connected) return;
    connected = now;
    for (const listener of listeners) listener(now);
  };
  void (async () => {
    for await (const status of nats.status()) {
      // Each attempt that fails late is said to be a loss, and all of them a return when one succeeds.
      if (status.type === (connected ? "reconnect" : "disconnect")) continue;
      switch (status.type) {
        case "disconnect":
          log.warn({ server: status.server }, "connection to NATS lost");
          refusals.begin();
          change(false);
          break;
        case "reconnect":
          log.info({ server: status.server }, "connected to NATS again");
          cluster = clusterNameOf(nats.info);
          connectedAt = clock.monotonic();
          change(true);
          break;
        case "error":
          if (isAboutNobody(status.error)) break;
          if (refusalOfCertificate(status.error) !== undefined) {
            refusals.add(status.error);
            break;
          }
          log.error({ err: explainNatsError(status.error, "publish") }, "NATS reports an error");
          break;
        case "close":
          closedForGood = true;
          change(false);
          break;
        case "staleConnection":
        case "slowConsumer":
        case "ldm":
          log.warn({ status: status.type }, "NATS connection status");
          break;
        case "forceReconnect":
        case "ping":
        case "reconnecting":
        case "update":
          break;
      }
    }
    closedForGood = true;
    change(false);
    for (const listener of listeners) listener(false);
  })();

  const isConnected = (): boolean => connected;
  const onChange = (listener: (connected: boolean) => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const close = async (): Promise<void> => {
    // Draining needs a server; without one it would wait for its timeout.
    await (connected ? nats.drain() : nats.close()).catch(async () => nats.close());
  };
  return {
    nats,
    role: options.role,
    jetstreamDomain: options.jetstreamDomain,
    get cluster() {
      return cluster;
    },
    inboxPrefix: options.inboxPrefix,
    log,
    clock,
    isConnected,
    onChange,
    async whenConnected(signal) {
      while (!isConnected()) {
        signal.throwIfAborted();
        if (closedForGood || nats.isClosed()) throw explainConnectError(undefined, options.servers);
        const { promise, resolve } = Promise.withResolvers<void>();
        const stop = onChange(() => resolve());
        try {
          await whileNotAborted(promise, signal);
        } finally {
          stop();
        }
      }
    },
    async whileConnected(work, signal) {
      const { promise: lost, reject } = Promise.withResolvers<never>();
      const stop = onChange((now) => {
        if (!now) reject(new ConnectionLostError("the connection to NATS was lost"));
      });
      try {
        return await whileNotAborted(Promise.race([lost, work]), signal);
      } finally {
        stop();
      }
    },
    leaveServer() {
      if (!connected || clock.monotonic() - connectedAt < leaveAfterMs) return;
      log.warn(
        { server: nats.getServer() },
        "this NATS server finds no leader of its cluster; trying another",
      );
      departure.leave(nats);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Waits for a promise that knows no signal. When the signal aborts, the wait ends; the work itself may continue. */
async function whileNotAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  work.catch(() => {});
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
