// The bus of rollouts in memory: the same for the deployer and for those who ask, pause and abort.
import { createNotifier, type Notifier } from "../../src/base/notifier.ts";
import type { DeployerBus, RolloutLog, RolloutNews } from "../../src/bus/rollout-bus.ts";
import type { RepoName } from "../../src/protocol/names.ts";
import {
  decodeRolloutEvent,
  encodeRolloutEvent,
  type RolloutEvent,
  type RolloutId,
} from "../../src/protocol/rollout/rollout-events.ts";
import {
  decodeStartAnswer,
  decodeStartRequest,
  encodeStartAnswer,
  encodeStartRequest,
  type StartAnswer,
  type StartRequest,
} from "../../src/protocol/rollout/start-request.ts";

/** Events as a reader has them: with the defaults of the schema. */
export function createFakeRolloutBus(): DeployerBus {
  const logs = new Map<RolloutId, { readonly event: RolloutEvent; readonly sequence: number }[]>();
  const followers = new Set<Notifier>();
  const watchers = new Set<(news: RolloutNews) => void>();
  const deployers = new Map<RepoName, (request: StartRequest) => Promise<StartAnswer>>();
  let sequence = 0;

  const logOf = (id: RolloutId): RolloutLog => {
    const stored = logs.get(id) ?? [];
    return { events: stored.map(({ event }) => event), sequence: stored.at(-1)?.sequence ?? 0 };
  };

  return {
    rolloutIds: async () => [...logs.keys()].toSorted().toReversed(),
    readRollout: async (id) => logOf(id),
    lastSequence: async (id) => logOf(id).sequence,
    async *followRollout(id, signal) {
      const notifier = createNotifier();
      followers.add(notifier);
      let given: number | undefined;
      try {
        while (!signal.aborted) {
          const log = logOf(id);
          if (log.sequence === given) {
            await notifier.wait(signal).catch(() => undefined);
            continue;
          }
          given = log.sequence;
          yield log;
        }
      } finally {
        followers.delete(notifier);
      }
    },
    async appendRolloutEvent(event, afterSequence) {
      const { rollout } = event;
      if (logOf(rollout).sequence !== afterSequence) return undefined;
      const stored = { event: decodeRolloutEvent(encodeRolloutEvent(event)), sequence: ++sequence };
      logs.set(rollout, [...(logs.get(rollout) ?? []), stored]);
      for (const follower of followers) follower.notify();
      for (const onNews of watchers) onNews({ type: "rollout", rollout });
      return stored.sequence;
    },
    async askForRollout(repo, request, signal) {
      const answer = deployers.get(repo);
      signal.throwIfAborted();
      if (answer === undefined) return undefined;
      return decodeStartAnswer(
        encodeStartAnswer(await answer(decodeStartRequest(encodeStartRequest(request)))),
      );
    },
    answerStarts(repo, answer, signal) {
      if (signal.aborted) return;
      deployers.set(repo, answer);
      signal.addEventListener("abort", () => deployers.delete(repo), { once: true });
    },
    watchRollouts(onNews, signal) {
      if (signal.aborted) return;
      watchers.add(onNews);
      signal.addEventListener("abort", () => watchers.delete(onNews), { once: true });
    },
  };
}
