// Everything about one build as it happens, in order and without a gap. Live messages only say that there is
// something to read: what is given comes from the streams, so a lost, repeated or forged live message changes
// nothing, and a slow reader costs no memory.
import type { MsgHdrs } from "@nats-io/transport-node";
import { createNotifier } from "../base/notifier.ts";
import { isTerminal, type BuildEvent } from "../protocol/events.ts";
import type { BuildId } from "../protocol/names.ts";
import { decodeProgress, type BuildProgress } from "../protocol/progress.ts";
import { eventSubject, live, progressSubject, streams } from "../protocol/subjects.ts";
import type { BuildMessage, FollowOptions } from "./bus.ts";
import { electionPatienceMs } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { isClustered, isServedByOthers } from "./connect/describe-missing.ts";
import { createEventSequence } from "./event-sequence.ts";
import { createKnownBuildCheck } from "./known-build.ts";
import { createLogOrder, logSubjects } from "./logs/log-order.ts";
import { explainConnectError, explainNatsError, isMissing, isTransient } from "./connect/nats-errors.ts";
import { createStreamReader, createTail, type StoredMessage, type Tail } from "./stored-messages.ts";
import { createLeaderWatch } from "./watch/watch-leader.ts";

/** Republished messages are not acknowledged; what was missed is found at the latest after this. */
const pollMs = 5000;
const retryMs = 300;
/** A server that has just started may not have its streams yet, and those of a cluster have to elect who leads them. */
const missingPatienceMs = 3000;
/** Progress is a picture of now: of a reader that is slower than this, old ones go. */
const maxWaitingProgress = 64;

const sequenceHeader = "Nats-Sequence";

/**
 * Ends after the terminal event, or when the signal aborts.
 *
 * @throws HomelabError `unavailable` `EVENTS_INCOMPLETE` also when NATS does not know the build, or not any more.
 */
export async function* followBuild(
  connection: Connection,
  id: BuildId,
  options: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<BuildMessage, void, void> {
  const { nats, clock, log } = connection;
  const notifier = createNotifier();
  const over = new AbortController();
  const eventTail = createTail(createStreamReader(connection, streams.events), eventSubject(id));
  const logTail = createTail(createStreamReader(connection, streams.logs), logSubjects(id));
  const events = createEventSequence(id, log);
  const logs = createLogOrder(log);
  const checkKnown = createKnownBuildCheck(connection, id);
  const watchLeader = createLeaderWatch(connection);
  let lastSequence = 0;
  let mayBeUnknown = false;
  const progress: BuildProgress[] = [];
  let connected: { readonly now: boolean } | undefined;
  let failure: Error | undefined;

  const doubt = (): void => {
    eventTail.doubt();
    if (options.logs === true) logTail.doubt();
    mayBeUnknown = true;
    notifier.notify();
  };
  const stopListening = connection.onChange((now) => {
    connected = { now };
    doubt();
  });

  const subscribe = (subject: string, take: (data: Uint8Array, headers: MsgHdrs | undefined) => void) =>
    nats.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) take(message.data, message.headers);
        else failure = explainNatsError(error, `follow build ${id}`);
        notifier.notify();
      },
    });
  const announceTo = (tail: Tail) => (_: Uint8Array, headers: MsgHdrs | undefined) => {
    const sequence = Number(headers?.last(sequenceHeader));
    if (Number.isSafeInteger(sequence)) tail.announce(sequence);
  };
  const subscriptions = [subscribe(live(eventSubject(id)), announceTo(eventTail))];
  if (options.logs === true) subscriptions.push(subscribe(live(logSubjects(id)), announceTo(logTail)));
  if (options.progress === true) {
    subscriptions.push(
      subscribe(progressSubject(id), (data, headers) => {
        // Another client can have the server answer here with stored bytes; those have headers, a builder's have not.
        if (headers !== undefined) return;
        try {
          const message = decodeProgress(data);
          if (message.build === id) progress.push(message);
        } catch (error) {
          log.debug({ build: id, error }, "a progress message cannot be read");
        }
        if (progress.length > maxWaitingProgress) progress.shift();
      }),
    );
  }
  void poll();
  async function poll(): Promise<void> {
    try {
      for (;;) {
        await clock.sleep(pollMs, over.signal);
        doubt();
        if (isClustered(connection)) void watchLeader(over.signal);
      }
    } catch {
      // over
    }
  }

  /** Since when nobody has answered. */
  let missingSince: number | undefined;
  const maySoonBeThere = (): boolean => {
    missingSince ??= clock.monotonic();
    const patience = isServedByOthers(connection) ? electionPatienceMs : missingPatienceMs;
    return clock.monotonic() - missingSince < patience;
  };
  /** Undefined also when NATS is away; then the tail stays behind. */
  async function read(tail: Tail): Promise<StoredMessage | undefined> {
    try {
      const message = await connection.whileConnected(tail.next(), signal);
      missingSince = undefined;
      return message;
    } catch (error) {
      if (signal.aborted) return undefined;
      const mayPass = isTransient(error) || (isMissing(error) && maySoonBeThere());
      if (nats.isClosed()) throw explainConnectError(error, [nats.getServer()]);
      if (!mayPass) throw explainNatsError(error, `read build ${id}`, connection);
      await clock.sleep(retryMs, signal).catch(() => {});
      return undefined;
    }
  }
  /** A look that fails says nothing: there is another one soon. */
  async function requireKnown(): Promise<void> {
    mayBeUnknown = false;
    const unknown = await connection
      .whileConnected(checkKnown(lastSequence, signal), signal)
      .catch(() => undefined);
    if (unknown !== undefined && !signal.aborted) throw unknown;
  }
  async function* readLogs(): AsyncGenerator<BuildMessage, void, void> {
    const message = await read(logTail);
    const chunk = message === undefined ? undefined : logs.accept(message);
    if (chunk !== undefined) yield { type: "log", chunk };
  }

  try {
    let last: BuildEvent | undefined;
    while (!signal.aborted) {
      if (failure !== undefined) throw failure;
      if (connected !== undefined) {
        const { now } = connected;
        connected = undefined;
        yield { type: "connection", connected: now };
      }
      for (let next = progress.shift(); next !== undefined; next = progress.shift()) {
        yield { type: "progress", progress: next };
      }
      if (!connection.isConnected()) {
        if (nats.isClosed()) throw explainConnectError(undefined, [nats.getServer()]);
        await notifier.wait(signal).catch(() => {});
      } else if (last === undefined && eventTail.isBehind()) {
        const message = await read(eventTail);
        const event = message === undefined ? undefined : events.accept(message);
        lastSequence = message?.sequence ?? lastSequence;
        if (event !== undefined && isTerminal(event)) {
          last = event;
          // All logs were stored before it.
          if (options.logs === true) logTail.doubt();
        } else if (event !== undefined) yield { type: "event", event };
      } else if (options.logs === true && logTail.isBehind()) {
        yield* readLogs();
      } else if (last === undefined && mayBeUnknown) {
        await requireKnown();
      } else if (last === undefined) {
        await notifier.wait(signal).catch(() => {});
      } else {
        yield { type: "event", event: last };
        return;
      }
    }
  } finally {
    over.abort();
    stopListening();
    for (const subscription of subscriptions) subscription.unsubscribe();
  }
}
