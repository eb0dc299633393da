import type { Msg } from "@nats-io/transport-node";
import { encodeBuilderStatus } from "../protocol/builder-status.ts";
import { encodeEvent } from "../protocol/events.ts";
import { encodeProgress } from "../protocol/progress.ts";
import {
  builderKey,
  builderStatusSubject,
  consumers,
  isReplySubject,
  logSubject,
  progressSubject,
} from "../protocol/subjects.ts";
import { openBacklog } from "./backlog.ts";
import type { BuilderBus } from "./bus.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { followUpdates } from "./follow-updates.ts";
import { createReader } from "./create-reader.ts";
import { nextDelivery } from "./deliveries.ts";
import { openEventLog } from "./event-log.ts";
import { readEventSpace } from "./event-space.ts";
import { encodeLogChunk } from "./logs/log-chunk-message.ts";
import { isProbe, isServerAnswer, logMessageId } from "./message-ids.ts";
import { explainNatsError } from "./connect/nats-errors.ts";
import { publishStored } from "./publish-stored.ts";
import { createResultStore } from "./buckets/results.ts";
import { isAtLeast } from "../base/version.ts";

/**
 * Where answers go: to what the server makes of the reply of a client in another account, and to inboxes of our own
 * account. Nobody can make us speak on another subject by naming it as the reply.
 */
const replyPattern = /^(?:_R_|_INBOX(?:_[A-Za-z0-9_-]+)?)\.[A-Za-z0-9_.-]+$/;

/**
 * How often one chunk is tried while connected: some minutes in all. A build waits for its logs before it ends, and a
 * server that is up but does not accept them must not prevent that.
 */
const logAttempts = 30;

/** The bus for builders. The connection stays the caller's. */
export function createBuilderBus(connection: Connection): BuilderBus {
  const { log, nats } = connection;
  /** The client forgets it while it connects again. */
  let version = nats.info?.version;

  /** For what may get lost: while disconnected the client would drop it anyway. */
  function publishUnstored(subject: string, data: Uint8Array): void {
    if (!connection.isConnected()) return;
    try {
      nats.publish(subject, data);
    } catch (error) {
      log.warn(
        { subject, err: explainNatsError(error, "publish", connection) },
        "a message could not be published",
      );
    }
  }

  function listen(
    subject: string,
    onMessage: (message: Pick<Msg, "subject" | "data" | "reply" | "headers">) => void,
    signal: AbortSignal,
  ): void {
    if (signal.aborted) return;
    const subscription = nats.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) {
          log.error({ subject, err: explainNatsError(error, "subscribe", connection) }, "cannot listen");
          return;
        }
        try {
          onMessage(message);
        } catch (thrown) {
          // Within the client's parser: thrown on, it would leave the connection deaf.
          log.error({ subject: message.subject, err: thrown }, "a message could not be taken");
        }
      },
    });
    signal.addEventListener("abort", () => subscription.unsubscribe(), { once: true });
  }

  return {
    ...createReader(connection),
    results: createResultStore(connection),
    nextRequest: async (signal, options) => nextDelivery(connection, consumers.requests, signal, options),
    openBacklog: async (signal) => openBacklog(connection, signal),
    nextControl: async (signal) => nextDelivery(connection, consumers.control, signal),
    eventSpace: async (signal) =>
      call(connection, "look at the event stream", signal, async () => readEventSpace(connection)),

    watchControls(onControl, signal) {
      listen(
        "build-control.*",
        ({ subject, data, headers }) => {
          if (!isServerAnswer(headers, data) && !isProbe(headers)) onControl(subject, data);
        },
        signal,
      );
    },

    openEventLog: async (id, history, signal) => openEventLog(connection, id, history, signal),

    async appendLog(chunk, signal) {
      const { build, log: number, index } = chunk;
      const ack = await publishStored(
        connection,
        `store a log of build ${build}`,
        {
          subject: logSubject(build, number),
          messageId: logMessageId(chunk),
          ...encodeLogChunk(chunk),
        },
        signal,
        logAttempts,
      );
      if (ack.duplicate && ack.attempts === 1) {
        log.error({ build, log: number, index }, "a log number was used twice: this chunk is lost");
      }
    },

    publishProgress(progress) {
      publishUnstored(progressSubject(progress.build), encodeProgress(progress));
    },

    reply(replyTo, event) {
      if (isReplySubject(replyTo)) publishUnstored(replyTo, encodeEvent(event));
    },

    async putStatus(status, signal) {
      const publication = { subject: builderKey(status.name), data: encodeBuilderStatus(status) };
      await publishStored(connection, "store the builder's status", publication, signal);
    },

    answerStatus(name, status, signal) {
      listen(
        builderStatusSubject(name),
        ({ reply }) => {
          if (reply !== undefined && replyPattern.test(reply)) {
            publishUnstored(reply, encodeBuilderStatus(status()));
          }
        },
        signal,
      );
    },

    followUpdates: (signal) => followUpdates(connection, signal),

    get serverWarnings() {
      version = nats.info?.version ?? version;
      return warningsAbout(version);
    },
    isConnected: connection.isConnected,
  };
}

export const warningsAbout = (version: string | undefined): readonly string[] =>
  isAtLeast(version, "2.10.0")
    ? []
    : [
        `nats-server ${version ?? "of an unknown version"}: acknowledged requests may not survive a power cut (sync_interval needs 2.10)`,
      ];
