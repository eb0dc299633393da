// Tells people of rollouts. What there is to tell follows from a rollout's log, so a deployer that died before it told finds
// it again; and what was told is remembered, so nobody hears it twice.
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { createNotifier } from "../../base/notifier.ts";
import { messageOf } from "../../base/errors.ts";
import { createJsonFile } from "../../base/files/json-file.ts";
import type { Log } from "../../base/log.ts";
import { keepTelling, type Outbox } from "../../notify/outbox.ts";
import { newsOf, rolloutNewsId, type RolloutNews } from "../../protocol/rollout/rollout-news.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";

/** How many ids are remembered, so that their logs are not read again. */
const mostRemembered = 1000;

export interface RolloutNotices {
  /** Stores the notifications that are due about it now, for delivery. Never fails. */
  look(rollout: Rollout): Promise<void>;
  /**
   * The same for rollouts of before. A deployer that has told nothing yet takes it that all of this is known.
   */
  restore(rollouts: readonly Rollout[]): Promise<void>;
  /** Tells what is kept, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface RolloutNoticesOptions {
  readonly outbox: Pick<Outbox<RolloutNews>, "keep" | "flush">;
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function createRolloutNotices({
  outbox,
  stateDirectory,
  clock,
  log,
}: RolloutNoticesOptions): RolloutNotices {
  const notifier = createNotifier();
  const file = createJsonFile(join(stateDirectory, "told.json"), v.object({ told: v.array(v.string()) }));
  /** Undefined where nothing was ever told. */
  const remembered = file.read().then((read) => read && new Set(read.told));
  let told: Set<string> | undefined;

  /** First kept, then remembered: after a crash in between it may be told twice, and never not at all. */
  async function lookAt(rollouts: readonly Rollout[], isKnown: boolean): Promise<void> {
    const news = rollouts.flatMap((rollout) => newsOf(rollout) ?? []);
    told ??= (await remembered) ?? new Set();
    const unheard = news.filter((each) => told?.has(rolloutNewsId(each)) !== true);
    if (unheard.length === 0 && !isKnown) return;
    for (const each of unheard) {
      if (!isKnown) await outbox.keep(each);
      told.add(rolloutNewsId(each));
    }
    told = new Set([...told].slice(-mostRemembered));
    await file.write({ told: [...told] });
    if (!isKnown) notifier.notify();
  }

  let looking: Promise<void> = Promise.resolve();
  /** One after another, because they share what is remembered. */
  const inTurn = async (work: () => Promise<void>): Promise<void> => {
    looking = looking.then(work).catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, "sent notifications about rollouts cannot be recorded");
    });
    await looking;
  };

  return {
    look: async (rollout) => inTurn(async () => lookAt([rollout], false)),
    restore: async (rollouts) =>
      inTurn(async () => lookAt(rollouts, told === undefined && (await remembered) === undefined)),
    run: async (signal) => keepTelling(outbox, notifier, clock, signal),
  };
}
