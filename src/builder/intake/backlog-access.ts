// A server has its backlog since `nats setup` made it, which may be while we run.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Backlog, BuilderBus } from "../../bus/bus.ts";

const lookAgainMs = 60_000;

export interface BacklogAccess {
  /** As far as it is known. */
  current(): Backlog | undefined;
  /** Looks for it once. Rejects with the signal's reason only. */
  look(signal: AbortSignal): Promise<Backlog | undefined>;
  /** Waits until there is one. Rejects with the signal's reason only. */
  open(signal: AbortSignal): Promise<Backlog>;
}

export function createBacklogAccess(
  bus: Pick<BuilderBus, "openBacklog">,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): BacklogAccess {
  let backlog: Backlog | undefined;
  async function look(signal: AbortSignal): Promise<Backlog | undefined> {
    try {
      backlog ??= await bus.openBacklog(signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error }, "the request queue cannot be read");
    }
    return backlog;
  }
  return {
    current: () => backlog,
    look,
    async open(signal) {
      for (;;) {
        const found = await look(signal);
        if (found !== undefined) return found;
        await clock.sleep(lookAgainMs, signal);
      }
    },
  };
}
