// A Nix that will never say anything again. It talks to a remote builder before a build begins there, with no limit of
// its own and doing nothing else meanwhile: not even builds that run beside it are ended when their time is over.
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import type { NixActivity } from "../../nix/realiser.ts";

/** Nix may hash a large output for long, without a word. */
const leastStuckSeconds = 3600;
/** Nix ends a silent build itself, if it can. */
const stuckGraceSeconds = 60;

export interface StuckWatch {
  take(activity: NixActivity): void;
  /** Aborted when Nix is stuck, with the HomelabError `unavailable` that says so. */
  readonly signal: AbortSignal;
  end(): void;
}

/** Silent for longer than a build may be, without waiting for a lock, a download or a hook. */
export function watchForStuckNix(silenceSeconds: number, clock: Clock): StuckWatch {
  const stuckSeconds = Math.max(silenceSeconds, leastStuckSeconds) + stuckGraceSeconds;
  const stuck = new AbortController();
  const over = new AbortController();
  const hooks = new Set<string>();
  let lastSaid = clock.monotonic();
  let waits = false;
  let fetches = false;

  async function watch(): Promise<void> {
    for (;;) {
      const left = stuckSeconds * 1000 - (clock.monotonic() - lastSaid);
      if (left <= 0 && !waits && !fetches && hooks.size === 0) {
        const reason = `Nix printed nothing for ${stuckSeconds} seconds and was stopped: perhaps a remote builder hangs`;
        return stuck.abort(new HomelabError("unavailable", reason));
      }
      await clock.sleep(left > 0 ? left : stuckGraceSeconds * 1000, over.signal);
    }
  }
  void watch().catch(() => undefined); // when it was ended

  return {
    take(activity) {
      lastSaid = clock.monotonic();
      if (activity.type === "waiting") waits = activity.reason !== undefined;
      else if (activity.type === "fetch-counts") fetches = activity.done < activity.expected;
      else if (activity.type === "hook-started") hooks.add(activity.drvPath);
      else if (activity.type === "hook-stopped") hooks.delete(activity.drvPath);
    },
    signal: stuck.signal,
    end: () => over.abort(),
  };
}
