// For operators, who ask for rollouts and pause, resume and abort them.
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { HomelabError } from "../../base/errors.ts";
import { encodeRolloutEvent } from "../../protocol/rollout/rollout-events.ts";
import { sealHeader, type RolloutSeal } from "../../protocol/rollout/rollout-seal.ts";
import { decodeStartAnswer, encodeStartRequest } from "../../protocol/rollout/start-request.ts";
import { deployReplySubject, rolloutSubject, startSubject, streams } from "../../protocol/subjects.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { call } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import {
  explainNatsError,
  isNoResponders,
  isTransient,
  isWrongLastSequence,
} from "../connect/nats-errors.ts";
import { publishOnce } from "../publish-stored.ts";
import type { RolloutBus } from "../rollout-bus.ts";
import { createStreamReader, type StoredMessage } from "../stored-messages.ts";
import { createRolloutReader } from "./create-rollout-reader.ts";
import { unpackAnswer } from "./packed-answer.ts";

/** The plan of a thousand hosts takes seconds. */
const answerTimeoutMs = 60_000;

/**
 * The connection stays the caller's.
 *
 * @param seal of a deployer: what it appends has it, and what it reads needs it
 */
export function createRolloutBus(connection: Connection, seal?: RolloutSeal): RolloutBus {
  const stored = createStreamReader(connection, streams.rollouts);
  const headersOf = (data: Uint8Array, after: number): MsgHdrs | undefined => {
    if (seal === undefined) return undefined;
    const sealed = headers();
    sealed.set(sealHeader, seal.seal(data, after));
    return sealed;
  };
  return {
    ...createRolloutReader(connection, seal),

    async appendRolloutEvent(event, afterSequence, signal) {
      const subject = rolloutSubject(event.rollout);
      const data = encodeRolloutEvent(event);
      const sealed = headersOf(data, afterSequence);
      const isOurs = (other: StoredMessage): boolean =>
        Buffer.compare(other.data, data) === 0 &&
        other.headers.get(sealHeader) === (sealed?.get(sealHeader) ?? "");
      const doing = `store an event of rollout ${event.rollout}`;
      return call(connection, doing, signal, async (attempt) => {
        try {
          const { seq } = await publishOnce(connection, {
            subject,
            data,
            headers: sealed,
            lastSubjectSequence: afterSequence,
          });
          return seq;
        } catch (error) {
          if (!isWrongLastSequence(error)) throw error;
          // Ours, when the acknowledgement of an earlier attempt got lost.
          const next = attempt > 1 ? await stored.next(subject, afterSequence + 1) : undefined;
          return next !== undefined && isOurs(next) ? next.sequence : undefined;
        }
      });
    },

    async askForRollout(repo, request, signal) {
      const { nats, clock } = connection;
      const doing = `ask the deployer of ${repo}`;
      await connection.whenConnected(signal);
      try {
        // Not retried: the deployer would begin a second rollout.
        const answer = await connection.whileConnected(
          nats.request(startSubject(repo), encodeStartRequest(request), {
            timeout: answerTimeoutMs,
            noMux: true,
            reply: deployReplySubject(userOf(connection), newBuildId(clock.now())),
          }),
          signal,
        );
        return decodeStartAnswer(unpackAnswer(answer.data));
      } catch (error) {
        signal.throwIfAborted();
        if (isNoResponders(error)) return undefined;
        if (!isTransient(error)) throw explainNatsError(error, doing, connection);
        throw new HomelabError("unavailable", `the deployer of ${repo} did not answer`, {
          code: "DEPLOYER_SILENT",
          hint: "it may have started the rollout all the same: homelab-deploy rollouts list",
          cause: error,
        });
      }
    },
  };
}

/** As `nats config` calls us: everybody may listen below his own name only. */
function userOf({ inboxPrefix }: Connection): string {
  const user = inboxPrefix?.replace(/^_INBOX_?/, "") ?? "";
  return user === "" ? "local" : user;
}
