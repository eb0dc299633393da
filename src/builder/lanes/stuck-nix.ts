// A Nix that will never say anything again. It has no limit of its own for what it does with a remote builder: neither
// before a build begins there, when it does nothing else, nor while it copies to and from there, nor for the build, whose
// limits are the business of the machine's own Nix.
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import type { NixActivity, RealiseOptions } from "../../nix/realiser.ts";

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

/**
 * Silent for longer than a build may be, without waiting for a hook, or only for others: for a lock, or for a machine that
 * has enough to do. Whoever waits while something is built here hears of that, or it hangs; and nobody waits for others for
 * longer than a build may take.
 */
export function watchForStuckNix(
  { timeoutSeconds, silenceSeconds }: Pick<RealiseOptions, "timeoutSeconds" | "silenceSeconds">,
  clock: Clock,
): StuckWatch {
  const secondsOf = (limit: number): number => Math.max(limit, leastStuckSeconds) + stuckGraceSeconds;
  const stuck = new AbortController();
  const over = new AbortController();
  const hooks = new Set<string>();
  let lastSaid = clock.monotonic();
  let waits = false;
  /** With the remote builder of each; nothing for this machine. */
  const building = new Map<string, string | undefined>();

  async function watch(): Promise<void> {
    for (;;) {
      const onlyWaits = waits && building.size === 0;
      const stuckSeconds = secondsOf(onlyWaits ? timeoutSeconds : silenceSeconds);
      const left = stuckSeconds * 1000 - (clock.monotonic() - lastSaid);
      if (left <= 0 && hooks.size === 0) {
        const machines = [...new Set(building.values())].filter((machine) => machine !== undefined);
        const who = machines.length === 0 ? "a remote builder" : machines.join(" or ");
        const reason = `Nix printed nothing for ${stuckSeconds} seconds and was stopped: perhaps ${who} hangs`;
        return stuck.abort(new HomelabError("unavailable", reason));
      }
      // What is built later has the shorter limit.
      const next = left > 0 ? Math.min(left, secondsOf(silenceSeconds) * 1000) : stuckGraceSeconds * 1000;
      await clock.sleep(next, over.signal);
    }
  }
  void watch().catch(() => undefined); // when it was ended

  return {
    take(activity) {
      lastSaid = clock.monotonic();
      if (activity.type === "waiting") waits = activity.reason !== undefined;
      else if (activity.type === "derivation-started") building.set(activity.drvPath, activity.machine);
      else if (activity.type === "derivation-stopped") building.delete(activity.drvPath);
      else if (activity.type === "hook-started") hooks.add(activity.drvPath);
      else if (activity.type === "hook-stopped") hooks.delete(activity.drvPath);
    },
    signal: stuck.signal,
    end: () => over.abort(),
  };
}
