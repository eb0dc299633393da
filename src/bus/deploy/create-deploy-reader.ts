// Deployments as operators, the deployer and everybody who reads see them. What a server of an earlier release does not have
// is empty here.
import { decodeHold, decodeHostState, type Hold, type HostState } from "../../protocol/deploy/host-state.ts";
import type { DeployEvent } from "../../protocol/deploy/deploy-events.ts";
import type { OrderId } from "../../protocol/deploy/order.ts";
import {
  deployEventSubject,
  deployOutputSubject,
  hostStateKey,
  orderSubject,
  streams,
} from "../../protocol/subjects.ts";
import { createBucketReader, readAttempts } from "../buckets/bucket.ts";
import { createPresence } from "../buckets/presence.ts";
import { call } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import type { DeployReader, HostAddress, OutputChunk, PlacedOutput } from "../deploy-bus.ts";
import { createStreamReader, readStored, type StoredMessage } from "../stored-messages.ts";
import { createDeployLog } from "./deploy-log.ts";
import { followHost } from "./follow-host.ts";
import { readOutputMessage } from "./output-message.ts";
import { storedOrder } from "./stored-order.ts";

/** The connection stays the caller's. */
export function createDeployReader(connection: Connection): DeployReader {
  const { log } = connection;
  const hosts = createBucketReader(connection, streams.hosts);
  const holds = createBucketReader(connection, streams.holds);
  const orders = createStreamReader(connection, streams.orders);
  const isThere = {
    [streams.orders]: createPresence(connection, streams.orders),
    [streams.deployEvents]: createPresence(connection, streams.deployEvents),
    [streams.deployOutput]: createPresence(connection, streams.deployOutput),
  } as const;

  /** What there is; a server that nobody has set up for deploying has nothing. */
  async function read<T>(
    stream: keyof typeof isThere,
    doing: () => Promise<T | undefined>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const attempt = async (): Promise<T | undefined> => ((await isThere[stream]()) ? doing() : undefined);
    return call(connection, `read ${stream}`, signal, attempt, readAttempts(connection));
  }

  /** All stored messages of a subject after that sequence, oldest first. */
  function readAll(
    stream: keyof typeof isThere,
    subject: string,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<StoredMessage> {
    const reader = createStreamReader(connection, stream);
    return readStored(async (from) => read(stream, async () => reader.next(subject, from), signal), after);
  }

  async function* outputAfter(
    address: HostAddress,
    order: OrderId,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<PlacedOutput, void, void> {
    let last = -1;
    for await (const message of readAll(streams.deployOutput, deployOutputSubject(address), after, signal)) {
      const chunk = readOutputMessage(message);
      if (chunk?.order !== order || chunk.index <= last) continue;
      last = chunk.index;
      yield { place: message.sequence, chunk };
    }
  }

  return {
    async hostStates(signal, repo) {
      const rows = await hosts.rows(`$KV.hosts.${repo ?? "*"}.*`, heardState, signal);
      return [...rows].flatMap(([key, state]) => (hostStateKey(state) === key ? [state] : []));
    },

    async hostState(address, signal) {
      const state = await hosts.row(hostStateKey(address), heardState, signal);
      return state !== undefined && isAbout(address, state) ? state : undefined;
    },

    newestOrder: async (address, signal) =>
      read(streams.orders, async () => storedOrder(await orders.last(orderSubject(address))), signal),

    async readDeployEvents(address, fromIndex, signal) {
      const accepted = createDeployLog(address, log);
      let events: DeployEvent[] = [];
      for await (const message of readAll(streams.deployEvents, deployEventSubject(address), 0, signal)) {
        const next = accepted.accept(message);
        if (next?.isNew === true) events = [];
        if (next !== undefined && next.event.index >= fromIndex) events.push(next.event);
      }
      return events;
    },

    async openHostLog(address, from, signal) {
      const subject = deployEventSubject(address);
      const accepted = createDeployLog(address, log);
      let after = 0;
      if (from === "end") {
        const stored = createStreamReader(connection, streams.deployEvents);
        const last = await read(streams.deployEvents, async () => stored.last(subject), signal);
        after = last?.sequence ?? 0;
      }
      return {
        async readMore(until) {
          const events: DeployEvent[] = [];
          for await (const message of readAll(streams.deployEvents, subject, after, until)) {
            after = message.sequence;
            const next = accepted.accept(message);
            if (next !== undefined) events.push(next.event);
          }
          return events;
        },
      };
    },

    followHost: (address, fromIndex, signal) => followHost(connection, address, fromIndex, signal),

    async readOutput(address, order, signal) {
      const chunks: OutputChunk[] = [];
      for await (const { chunk } of outputAfter(address, order, 0, signal)) chunks.push(chunk);
      return chunks;
    },

    outputAfter,

    async holds(signal) {
      const rows = await holds.rows("$KV.holds.*.*", decodeHold, signal);
      return new Map<string, Hold>([...rows].map(([key, hold]) => [hostOfHoldKey(key), hold]));
    },
  };
}

const heardState = (data: Uint8Array, storedAt: Date): HostState => ({
  ...decodeHostState(data),
  heardAt: storedAt.toISOString(),
});

const isAbout = ({ repo, host }: HostAddress, about: HostAddress): boolean =>
  about.repo === repo && about.host === host;

/** `servers/web01`, or `servers/all`: the reverse of `holdKey`. */
function hostOfHoldKey(key: string): string {
  const [, , repo = "", host = ""] = key.split(".");
  return `${repo}/${host.replaceAll("=2E", ".")}`;
}
