// One Nix process of a lane, with an eye on its post-build-hooks.
import type { Clock } from "../../base/clock.ts";
import type { NixActivity, RealiseOptions, RealiseResult, Realiser } from "../../nix/realiser.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { FailedHook, FailedHooks } from "./failed-hooks.ts";
import { createHookWatch, type HookEnd } from "./hook-watch.ts";
import { watchForStuckNix } from "./stuck-nix.ts";

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
  /** We ended Nix because it hung. */
  isStuck(): boolean;
  /** See `HookWatch`. */
  isHookUndecided(drvPath: StorePath): boolean;
}

/**
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

  const stuck = watchForStuckNix(limits, clock);
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
    stuck.take(activity);
    if (activity.type === "hook-started") {
      const { timeoutSeconds } = limits;
      void alarm(timeoutSeconds, `it ran for ${timeoutSeconds} seconds, and was ended`, alarms.signal);
      listen(activity.drvPath);
    } else if (activity.type === "log-lines" && silence.has(activity.drvPath)) {
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

  const ending = AbortSignal.any([signal, hung.signal, stuck.signal]);

  async function run(): Promise<Round> {
    try {
      const result = await nix.realise(
        drvPaths,
        limits,
        (activity, soFar) => {
          take(activity);
          // When Nix is ended, it reports everything that it was building as stopped, as if it were built.
          return ending.aborted ? undefined : onActivity(activity, soFar);
        },
        ending,
      );
      return { result, failed: learn({ type: "exited", ...result }) };
    } catch (error) {
      const isHung = hung.signal.aborted && !signal.aborted;
      const failed = learn({ type: "stopped", reason: isHung ? hungReason : "it was interrupted" });
      if (!isHung) throw error;
      return { result: undefined, failed };
    } finally {
      stuck.end();
      alarms.abort();
    }
  }

  return {
    end: run(),
    isStuck: () => stuck.signal.aborted,
    isHookUndecided: (drvPath) => watch.isUndecided(drvPath),
  };
}
