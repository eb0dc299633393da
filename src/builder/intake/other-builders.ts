// Whether there are builders that share our queue: those that say so in their status, which each stores every 20 s.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { BuilderBus } from "../../bus/bus.ts";
import { presence, type BuilderStatus } from "../../protocol/builder-status.ts";
import type { BuilderName } from "../../protocol/names.ts";

export interface OtherBuilders {
  /** As it was known at most so long ago as a status is; what cannot be read changes nothing. Rejects with the signal's reason. */
  arePresent(signal: AbortSignal): Promise<boolean>;
}

/** @param me the name of this builder */
export function createOtherBuilders(
  bus: Pick<BuilderBus, "listBuilders">,
  me: BuilderName,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): OtherBuilders {
  let known: { readonly present: boolean; readonly at: number } | undefined;
  let looking: Promise<void> | undefined;

  async function look(signal: AbortSignal): Promise<void> {
    let present = known?.present ?? false;
    try {
      present = hasOthers(await bus.listBuilders(signal), me, clock.now());
    } catch (error) {
      signal.throwIfAborted();
      log.debug({ err: error }, "whether there are other builders is not known");
    }
    known = { present, at: clock.monotonic() };
  }

  return {
    async arePresent(signal) {
      if (known === undefined || clock.monotonic() - known.at >= presence.intervalMs) {
        looking ??= look(signal).finally(() => (looking = undefined));
        await looking;
      }
      return known?.present ?? false;
    },
  };
}

/** Present, and told to build something of what we build. */
export function hasOthers(statuses: readonly BuilderStatus[], me: BuilderName, now: Date): boolean {
  const mine = new Set(statuses.find(({ name }) => name === me)?.repos);
  return statuses.some(
    ({ name, at, repos }) =>
      name !== me &&
      now.getTime() - Date.parse(at) <= presence.goneAfterMs &&
      (mine.size === 0 || repos.some((repo) => mine.has(repo))),
  );
}
