// For the listener of one host. It has no rights beyond its own subjects, and reads only the newest message of each.
import { encodeDeployEvent, type DeployEvent } from "../../protocol/deploy/deploy-events.ts";
import { encodeHostState } from "../../protocol/deploy/host-state.ts";
import {
  deployEventSubject,
  deployOutputSubject,
  hostStateKey,
  orderSubject,
  streams,
} from "../../protocol/subjects.ts";
import { call } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import { isWrongLastSequence } from "../connect/nats-errors.ts";
import type { HostAddress, ListenerBus } from "../deploy-bus.ts";
import { publishOnce, publishStored } from "../publish-stored.ts";
import { createStreamReader } from "../stored-messages.ts";
import { deployEventMessageId, readDeployEvent } from "./deploy-log.ts";
import { followOrders } from "./follow-orders.ts";
import { encodeOutput, outputMessageId, readOutputMessage } from "./output-message.ts";
import { storedOrder } from "./stored-order.ts";

/** The last event of our log. */
interface End {
  readonly sequence: number;
  readonly event: DeployEvent | undefined;
}

/** The next state is more than a minute away at most, and newer. */
const stateAttempts = 3;

/** The connection stays the caller's. */
export function createListenerBus(connection: Connection, address: HostAddress): ListenerBus {
  const { log } = connection;
  const orders = createStreamReader(connection, streams.orders);
  const events = createStreamReader(connection, streams.deployEvents);
  const output = createStreamReader(connection, streams.deployOutput);
  const subject = deployEventSubject(address);
  let end: End | undefined;

  async function readEnd(): Promise<End> {
    const message = await events.last(subject);
    return {
      sequence: message?.sequence ?? 0,
      event: message && readDeployEvent(address, message, log),
    };
  }

  /** Puts it behind the end that we know; undefined when that is not the end any more. */
  async function publishAfter(
    { sequence }: End,
    event: DeployEvent,
    messageId: string,
  ): Promise<{ readonly sequence: number; readonly isRepeated: boolean } | undefined> {
    try {
      const ack = await publishOnce(connection, {
        subject,
        data: encodeDeployEvent(event),
        messageId,
        lastSubjectSequence: sequence,
      });
      return { sequence: ack.seq, isRepeated: ack.duplicate };
    } catch (error) {
      if (isWrongLastSequence(error)) return undefined;
      throw error;
    }
  }

  async function append(event: DeployEvent): Promise<void> {
    let messageId = deployEventMessageId(event);
    for (;;) {
      const known = end ?? (await readEnd());
      end = undefined;
      if (known.event !== undefined && isBehind(event, known.event)) {
        end = known;
        return;
      }
      const stored = await publishAfter(known, event, messageId);
      if (stored === undefined) continue;
      if (!stored.isRepeated) {
        end = { sequence: stored.sequence, event };
        return;
      }
      // The server has seen this id. If it does not have the event, somebody has emptied the stream since.
      messageId = `${deployEventMessageId(event)}:${crypto.randomUUID()}`;
    }
  }

  return {
    followOrders: (signal) => followOrders(connection, address, signal),

    newestOrder: async (signal) =>
      call(connection, "read our order", signal, async () =>
        storedOrder(await orders.last(orderSubject(address))),
      ),

    lastEvent: async (signal) =>
      call(connection, "read our last event", signal, async () => {
        end = await readEnd();
        return end.event;
      }),

    appendEvent: async (event, signal) =>
      call(connection, "store a deployment event", signal, async () => append(event)),

    lastOutput: async (signal) =>
      call(connection, "read our last output", signal, async () => {
        const message = await output.last(deployOutputSubject(address));
        return message && readOutputMessage(message);
      }),

    async appendOutput(chunk, signal) {
      const publication = {
        subject: deployOutputSubject(address),
        messageId: outputMessageId(chunk),
        ...encodeOutput(chunk),
      };
      await publishStored(connection, "store output of an activation", publication, signal);
    },

    async putHostState(state, signal) {
      const publication = { subject: hostStateKey(address), data: encodeHostState(state) };
      await publishStored(connection, "store the state of this host", publication, signal, stateAttempts);
    },

    isConnected: () => connection.isConnected(),
  };
}

/**
 * Whether the log has it already: it is this event, or one of later. A journal that was started again counts from 0, at a
 * later time.
 */
const isBehind = (event: DeployEvent, end: DeployEvent): boolean =>
  event.index <= end.index && Date.parse(event.at) <= Date.parse(end.at);
