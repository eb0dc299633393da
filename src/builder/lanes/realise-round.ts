// One Nix process of a lane, with an eye on its post-build-hooks.
import { HomelabError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { NixActivity, RealiseOptions, RealiseResult, Realiser } from "../../nix/realiser.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { FailedHook, FailedHooks } from "./failed-hooks.ts";
import { createHookWatch, type HookEnd } from "./hook-watch.ts";

export interface RealiseRoundOptions {
  readonly nix: Pick<Realiser, "realise">;
  readonly clock: Clock;
  readonly failedHooks: FailedHooks;
}

export interface Round {
  /** Undefined when we ended Nix because a hook did not end. */
  readonly result: RealiseResult | undefined;
  /** Hooks by whose fault Nix ended before it was done. */
  readonly failed: readonly FailedHook[];
}

export interface RunningRound {
  readonly end: Promise<Round>;
  /** See `HookWatch`. */
  isHookUndecided(drvPath: StorePath): boolean;
}

/** Nix may hash a large output for long, without a word. */
const leastStuckSeconds = 3600;
/** Nix ends a silent build itself, if it can. */
const stuckGraceSeconds = 60;

/**
 * Nix talks to a remote builder before a build begins there, with no limit of its own and doing nothing else meanwhile:
 * not even builds that run beside it are ended when their time is over. A Nix that is silent for longer than a build may
 * be, without waiting for a lock or for a download, is ended.
 *
 * Nix waits for a hook without any limit of its own, and for nothing else meanwhile: a hook has as long as a build, and
 * may be as silent. One that we interrupt, for whatever reason, has not succeeded.
 */
export function startRound(
  { nix, clock, failedHooks }: RealiseRoundOptions,
  drvPaths: readonly StorePath[],
  limits: RealiseOptions,
  onActivity: Parameters<Realiser["realise"]>[2],
  signal: AbortSignal,
): RunningRound {
  const watch = createHookWatch();
  const hung = new AbortController();
  let hungReason = "";
  let alarms = new AbortController();

  async function alarm(seconds: number, reason: string, until: AbortSignal): Promise<void> {
    if (seconds === 0) return; // no limit
    try {
      await clock.sleep(seconds * 1000, until);
      hungReason = reason;
      hung.abort();
    } catch {
      // it has ended, or said something
    }
  }

  const stuckSeconds = Math.max(limits.silenceSeconds, leastStuckSeconds) + stuckGraceSeconds;
  const stuck = new AbortController();
  const over = new AbortController();
  let lastSaid = clock.monotonic();
  let waits = false;
  let fetches = false;

  async function watchSilence(): Promise<void> {
    for (;;) {
      const left = stuckSeconds * 1000 - (clock.monotonic() - lastSaid);
      if (left <= 0 && !waits && !fetches && silence.size === 0) return stuck.abort();
      await clock.sleep(left > 0 ? left : stuckGraceSeconds * 1000, over.signal);
    }
  }

  function note(activity: NixActivity): void {
    lastSaid = clock.monotonic();
    if (activity.type === "waiting") waits = activity.reason !== undefined;
    else if (activity.type === "fetch-counts") fetches = activity.done < activity.expected;
  }

  const silence = new Map<StorePath, AbortController>();
  function listen(drvPath: StorePath): void {
    silence.get(drvPath)?.abort();
    const next = new AbortController();
    silence.set(drvPath, next);
    const { silenceSeconds } = limits;
    void alarm(
      silenceSeconds,
      `it ran for ${silenceSeconds} seconds without output, and was ended`,
      AbortSignal.any([next.signal, alarms.signal]),
    );
  }

  function take(activity: NixActivity): void {
    watch.take(activity);
    note(activity);
    if (activity.type === "hook-started") {
      const { timeoutSeconds } = limits;
      void alarm(timeoutSeconds, `it ran for ${timeoutSeconds} seconds, and was ended`, alarms.signal);
      listen(activity.drvPath);
    } else if (activity.type === "log-line" && silence.has(activity.drvPath)) {
      listen(activity.drvPath);
    } else if (activity.type === "hook-stopped") {
      silence.delete(activity.drvPath);
      if (silence.size > 0) return;
      alarms.abort();
      alarms = new AbortController();
    }
  }

  function learn(end: HookEnd): readonly FailedHook[] {
    const at = clock.now().getTime();
    const failed = watch.broken(end).map((hook) => ({ ...hook, at }));
    failedHooks.learn(failed, watch.succeeded());
    return failed;
  }

  async function run(): Promise<Round> {
    void watchSilence().catch(() => undefined); // when Nix has ended
    try {
      const result = await nix.realise(
        drvPaths,
        limits,
        (activity, soFar) => {
          take(activity);
          return onActivity(activity, soFar);
        },
        AbortSignal.any([signal, hung.signal, stuck.signal]),
      );
      return { result, failed: learn({ type: "exited", ...result }) };
    } catch (error) {
      const isHung = hung.signal.aborted && !signal.aborted;
      const failed = learn({ type: "stopped", reason: isHung ? hungReason : "it was interrupted" });
      if (stuck.signal.aborted && !signal.aborted) {
        const reason = `Nix said nothing for ${stuckSeconds} seconds and was ended: perhaps a remote builder hangs`;
        throw new HomelabError("unavailable", reason);
      }
      if (!isHung) throw error;
      return { result: undefined, failed };
    } finally {
      over.abort();
      alarms.abort();
    }
  }

  return { end: run(), isHookUndecided: (drvPath) => watch.isUndecided(drvPath) };
}
