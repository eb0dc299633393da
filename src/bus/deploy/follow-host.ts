// Everything that a host says about its deployments, as it happens. As with builds, what is given comes from the streams.
import { createNotifier } from "../../base/notifier.ts";
import { deployEventSubject, deployOutputSubject, live, streams } from "../../protocol/subjects.ts";
import type { Connection } from "../connect/connection.ts";
import { explainConnectError, explainNatsError, isMissing, isTransient } from "../connect/nats-errors.ts";
import type { DeployMessage, HostAddress, OutputChunk } from "../deploy-bus.ts";
import { createStreamReader, createTail, type StoredMessage, type Tail } from "../stored-messages.ts";
import { createDeployLog } from "./deploy-log.ts";
import { readOutputMessage } from "./output-message.ts";

/** Republished messages are not acknowledged; what was missed is found at the latest after this. */
const pollMs = 5000;
const retryMs = 300;

/**
 * Events from this index on, and the output that is stored from now on, or of the deployment that is under way.
 *
 * @throws HomelabError for a problem that does not resolve by itself, such as a missing permission
 */
export async function* followHost(
  connection: Connection,
  address: HostAddress,
  fromIndex: number,
  signal: AbortSignal,
): AsyncGenerator<DeployMessage, void, void> {
  const { nats, clock, log } = connection;
  const notifier = createNotifier();
  const over = new AbortController();
  const output = createStreamReader(connection, streams.deployOutput);
  const eventTail = createTail(
    createStreamReader(connection, streams.deployEvents),
    deployEventSubject(address),
  );
  const outputTail = createTail(output, deployOutputSubject(address));
  const accepted = createDeployLog(address, log);
  /** The first order whose output is shown; those of later ones sort after it, because they are ULIDs. */
  let firstOrder: string | undefined;
  /** The newest that was over before anything is shown: whoever has ordered again does not want its output again. */
  let lastOver: string | undefined;
  const given = new Set<string>();
  let knowsOutput = false;
  let connected: { readonly now: boolean } | undefined;
  let failure: Error | undefined;

  const doubt = (): void => {
    eventTail.doubt();
    outputTail.doubt();
    notifier.notify();
  };
  const stopListening = connection.onChange((now) => {
    connected = { now };
    doubt();
  });
  const subscribe = (subject: string, tail: Tail) =>
    nats.subscribe(live(subject), {
      callback: (error) => {
        if (error === null) tail.doubt();
        else failure = explainNatsError(error, `follow ${address.host}`);
        notifier.notify();
      },
    });
  const subscriptions = [
    subscribe(deployEventSubject(address), eventTail),
    subscribe(deployOutputSubject(address), outputTail),
  ];
  async function poll(): Promise<void> {
    for (;;) {
      await clock.sleep(pollMs, over.signal);
      doubt();
    }
  }
  void poll().catch(() => undefined); // over

  /** Undefined also when NATS is away; then the tail stays behind. */
  async function read<T>(doing: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await connection.whileConnected(doing(), signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (nats.isClosed()) throw explainConnectError(error, [nats.getServer()]);
      if (!isTransient(error) && !isMissing(error)) {
        throw explainNatsError(error, `read what ${address.host} does`, connection);
      }
      // A server that has just started may not have its streams yet.
      await clock.sleep(isMissing(error) ? pollMs : retryMs, signal).catch(() => undefined);
      return undefined;
    }
  }

  const isEarlier = ({ order }: OutputChunk): boolean =>
    (firstOrder !== undefined && order < firstOrder) || (lastOver !== undefined && order <= lastOver);

  /** Output of earlier deployments can be 32 MiB, which nobody wants to see again. */
  async function findOutput(): Promise<void> {
    const last = await read(async () => output.last(deployOutputSubject(address)));
    const chunk = last && readOutputMessage(last);
    if (last !== undefined && (chunk === undefined || isEarlier(chunk))) outputTail.skipTo(last.sequence);
    knowsOutput = true;
  }

  function* eventsOf(message: StoredMessage): Generator<DeployMessage, void, void> {
    const next = accepted.accept(message);
    // A reinstalled host counts from 0.
    if (next === undefined) return;
    if (next.isNew) fromIndex = 0;
    if (next.event.index < fromIndex) {
      firstOrder = next.event.order ?? firstOrder;
      if (next.event.type === "finished") lastOver = next.event.order;
      return;
    }
    firstOrder ??= next.event.order;
    yield { type: "event", event: next.event };
  }

  function* outputOf(message: StoredMessage): Generator<DeployMessage, void, void> {
    const chunk = readOutputMessage(message);
    if (chunk === undefined || isEarlier(chunk) || given.has(`${chunk.order}.${chunk.index}`)) return;
    given.add(`${chunk.order}.${chunk.index}`);
    yield { type: "output", chunk };
  }

  try {
    while (!signal.aborted) {
      if (failure !== undefined) throw failure;
      if (connected !== undefined) {
        const { now } = connected;
        connected = undefined;
        yield { type: "connection", connected: now };
      }
      if (!connection.isConnected()) {
        if (nats.isClosed()) throw explainConnectError(undefined, [nats.getServer()]);
        await notifier.wait(signal).catch(() => undefined);
      } else if (eventTail.isBehind()) {
        const message = await read(async () => eventTail.next());
        if (message !== undefined) yield* eventsOf(message);
      } else if (!knowsOutput) {
        await findOutput();
      } else if (outputTail.isBehind()) {
        const message = await read(async () => outputTail.next());
        if (message !== undefined) yield* outputOf(message);
      } else {
        await notifier.wait(signal).catch(() => undefined);
      }
    }
  } finally {
    over.abort();
    stopListening();
    for (const subscription of subscriptions) subscription.unsubscribe();
  }
}
