// For the deployer: it answers those who ask for rollouts, and hears that logs have grown.
import { HomelabError, messageOf } from "../../base/errors.ts";
import type { RepoName } from "../../protocol/names.ts";
import {
  decodeStartRequest,
  encodeStartAnswer,
  maxSentAnswerBytes,
  type StartAnswer,
  type StartRequest,
} from "../../protocol/rollout/start-request.ts";
import type { RolloutSeal } from "../../protocol/rollout/rollout-seal.ts";
import { isDeployReplySubject, live, rolloutIdOfSubject, startSubject } from "../../protocol/subjects.ts";
import type { Connection } from "../connect/connection.ts";
import { explainNatsError } from "../connect/nats-errors.ts";
import { readable } from "../readable.ts";
import type { DeployerBus } from "../rollout-bus.ts";
import { createRolloutBus } from "./create-rollout-bus.ts";
import { packAnswer } from "./packed-answer.ts";

/** Requests are answered one after another; more than this wait for nothing. */
const mostWaiting = 20;

/** The connection stays the caller's. */
export function createDeployerBus(connection: Connection, seal: RolloutSeal): DeployerBus {
  const { nats, log } = connection;

  function answerStarts(
    repo: RepoName,
    answer: (request: StartRequest) => Promise<StartAnswer>,
    signal: AbortSignal,
  ): void {
    if (signal.aborted) return;
    const waiting: { readonly reply: string; readonly data: Uint8Array }[] = [];
    let isAnswering = false;

    const tell = (reply: string, told: StartAnswer): void => {
      try {
        nats.publish(reply, encoded(told));
      } catch (failure) {
        log.error({ repo, err: failure }, "a request for a rollout got no answer");
      }
    };

    async function answerTo(data: Uint8Array): Promise<StartAnswer> {
      try {
        return await answer(decodeStartRequest(data));
      } catch (failure) {
        log.warn({ repo, err: failure }, "a request for a rollout was refused");
        return refusal(failure);
      }
    }

    async function answerAll(): Promise<void> {
      if (isAnswering) return;
      isAnswering = true;
      for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) {
        tell(next.reply, await answerTo(next.data));
      }
      isAnswering = false;
    }

    const subscription = nats.subscribe(startSubject(repo), {
      // If a repo has two deployers, only one of them begins a rollout.
      queue: "deployer",
      callback: (error, message) => {
        if (error !== null) {
          log.error(
            { repo, err: explainNatsError(error, "hear requests for rollouts") },
            "requests for rollouts cannot be received",
          );
          return;
        }
        const { reply, data } = message;
        if (reply === undefined || !isDeployReplySubject(reply)) {
          log.warn({ repo }, "a request for a rollout has no valid reply subject and is ignored");
          return;
        }
        if (waiting.length >= mostWaiting) {
          tell(reply, {
            type: "refused",
            code: "DEPLOYER_BUSY",
            detail: "the deployer has too many requests to answer",
            hint: "try again in a minute",
          });
          return;
        }
        waiting.push({ reply, data });
        void answerAll();
      },
    });
    signal.addEventListener("abort", () => subscription.unsubscribe(), { once: true });
  }

  return {
    ...createRolloutBus(connection, seal),
    answerStarts,

    watchRollouts(onNews, signal) {
      if (signal.aborted) return;
      const subscription = nats.subscribe(live("rollout-events.*"), {
        callback: (error, { subject }) => {
          if (error !== null) {
            log.error({ err: explainNatsError(error, "hear of rollouts") }, "rollouts are noticed late");
            return;
          }
          const rollout = readable(log, () => rolloutIdOfSubject(subject));
          if (rollout !== undefined) onNews({ type: "rollout", rollout });
        },
      });
      const stopListening = connection.onChange((connected) => onNews({ type: "connection", connected }));
      signal.addEventListener(
        "abort",
        () => {
          stopListening();
          subscription.unsubscribe();
        },
        { once: true },
      );
    },
  };
}

function refusal(error: unknown): StartAnswer {
  const detail = messageOf(error).slice(0, 2000);
  return error instanceof HomelabError
    ? { type: "refused", code: error.code ?? "INTERNAL", detail, hint: error.hint }
    : { type: "refused", code: "INTERNAL", detail };
}

function encoded(answer: StartAnswer): Uint8Array {
  const data = encodeStartAnswer(answer);
  const packed = packAnswer(data);
  if (packed !== undefined) return packed;
  return encodeStartAnswer({
    type: "refused",
    code: "TOO_LARGE",
    detail: `the plan takes ${data.byteLength} bytes, and an answer may take ${maxSentAnswerBytes}, packed`,
    hint: "choose fewer hosts",
  });
}
