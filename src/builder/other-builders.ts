// Who else builds: the builders that say so in their status, which each stores every 20 s.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { BuilderBus } from "../bus/bus.ts";
import { presence, type BuilderStatus } from "../protocol/builder-status.ts";
import type { BuilderName } from "../protocol/names.ts";

/** The builders that are online. */
export interface OnlineBuilders {
  /** Undefined until we have said something. */
  readonly own: BuilderStatus | undefined;
  readonly others: readonly BuilderStatus[];
}

export interface OtherBuilders {
  /**
   * As it was known at most so long ago as a status is; undefined as long as it was never known. What cannot be read changes
   * nothing. Rejects only with the signal's reason.
   */
  online(signal: AbortSignal): Promise<OnlineBuilders | undefined>;
}

/** Neither requests nor verdicts wait longer for it. */
const patienceMs = 3000;

/** @param me the name of this builder */
export function createOtherBuilders(
  bus: Pick<BuilderBus, "listBuilders">,
  me: BuilderName,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): OtherBuilders {
  let known: OnlineBuilders | undefined;
  let lookedAt: number | undefined;
  let looking: Promise<void> | undefined;

  async function look(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    try {
      const late = clock.sleep(patienceMs, until).then(() => undefined);
      const statuses = await Promise.race([bus.listBuilders(until), late]);
      if (statuses !== undefined) known = onlineBuilders(statuses, me, clock.now());
    } catch (error) {
      signal.throwIfAborted();
      log.debug({ err: error }, "other builders are not known");
    } finally {
      over.abort();
    }
    lookedAt = clock.monotonic();
  }

  return {
    async online(signal) {
      if (lookedAt === undefined || clock.monotonic() - lookedAt >= presence.intervalMs) {
        looking ??= look(signal).finally(() => (looking = undefined));
        await looking;
      }
      return known;
    },
  };
}

export function onlineBuilders(
  statuses: readonly BuilderStatus[],
  me: BuilderName,
  now: Date,
): OnlineBuilders {
  return {
    own: statuses.find(({ name }) => name === me),
    others: statuses.filter(
      ({ name, at }) => name !== me && now.getTime() - Date.parse(at) <= presence.goneAfterMs,
    ),
  };
}

/** Whether one of them is told to build something of what we build. */
export function shareQueue({ own, others }: OnlineBuilders): boolean {
  const mine = new Set(own?.repos);
  return others.some(({ repos }) => mine.size === 0 || repos.some((repo) => mine.has(repo)));
}
