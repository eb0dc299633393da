// A host whose last derivation has ended gets its verdict while the process still builds others.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { NixActivity, NixMessage, RealiseResult } from "../../nix/realiser.ts";
import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import { withOutput } from "../checks/valid-outputs.ts";
import type { ReadyWork } from "../work.ts";

/** How long something that ended waits for others, and for what Nix says about it; then all are looked at together. */
const gatherMs = 300;
/** Between two looks. With `gatherMs` it is the most that a verdict waits, besides the store's answers. */
const pauseMs = 700;
const pauseAfterErrorMs = 5000;
/** How often a host that ended is looked at; what is unclear then is clear when the process has ended. */
const mostLooks = 3;

export interface EarlyVerdicts {
  /** What Nix says, and what its result would be now. */
  take(activity: NixActivity, soFar: () => Promise<RealiseResult>): void;
  /** Nothing is looked at any more; resolves when the last look is over. */
  end(): Promise<void>;
}

export interface EarlyVerdictsOptions {
  /** The hosts without a verdict. */
  readonly open: () => readonly ReadyWork[];
  readonly present: Store["present"];
  readonly clock: Clock;
  readonly log: Log;
  /** Decides about those whose output is valid. */
  readonly settleBuilt: (works: readonly ReadyWork[], signal: AbortSignal) => Promise<void>;
  /** Decides about those that certainly failed. */
  readonly settleFailed: (
    works: readonly ReadyWork[],
    result: RealiseResult,
    signal: AbortSignal,
  ) => Promise<void>;
}

/**
 * Looks soon after Nix said that something ended, and at most once a second. A toplevel may be built by another process
 * or fetched, so the output of every open host counts that is there; that is asked of the file system, and only what is
 * there is asked of the store.
 */
export function createEarlyVerdicts(options: EarlyVerdictsOptions, signal: AbortSignal): EarlyVerdicts {
  const { open, present, clock, log, settleBuilt, settleFailed } = options;
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const tops = new Set(open().map((work) => work.evaluation.drvPath));
  /** Toplevels of which Nix says that they ended, or cannot be built any more: how often they were looked at. */
  const ended = new Map<StorePath, number>();
  /** The last news that was not looked at yet. */
  let news: (() => Promise<RealiseResult>) | undefined;
  let looking: Promise<void> | undefined;

  function lookSoon(soFar: () => Promise<RealiseResult>): void {
    news = soFar;
    if (!until.aborted) looking ??= lookWhileNews();
  }

  async function lookWhileNews(): Promise<void> {
    try {
      while (news !== undefined) {
        await clock.sleep(gatherMs, until);
        const soFar = news;
        news = undefined;
        await clock.sleep((await hasLooked(soFar)) ? pauseMs : pauseAfterErrorMs, until);
      }
    } catch (error) {
      if (!until.aborted) throw error;
    } finally {
      looking = undefined;
    }
  }

  async function hasLooked(soFar: () => Promise<RealiseResult>): Promise<boolean> {
    try {
      await look(soFar);
      return true;
    } catch (error) {
      until.throwIfAborted();
      log.debug({ err: error }, "early verdicts were not possible");
      news ??= soFar;
      return false;
    }
  }

  async function look(soFar: () => Promise<RealiseResult>): Promise<void> {
    const there = await withOutput({ present }, open());
    if (there.length > 0) await settleBuilt(there, until);
    const unclear = open().filter(
      ({ evaluation }) => (ended.get(evaluation.drvPath) ?? mostLooks) < mostLooks,
    );
    if (unclear.length === 0) return;
    for (const { evaluation } of unclear)
      ended.set(evaluation.drvPath, (ended.get(evaluation.drvPath) ?? 0) + 1);
    await settleFailed(unclear, await soFar(), until);
    const isOpen = new Set(open());
    if (unclear.some((work) => isOpen.has(work) && ended.get(work.evaluation.drvPath) !== mostLooks))
      news ??= soFar;
  }

  /** What Nix itself says is always looked into; what a builder may have said, a few times. */
  function noteEnd(drvPath: StorePath, isCertain: boolean): void {
    if (tops.has(drvPath)) ended.set(drvPath, isCertain ? 0 : (ended.get(drvPath) ?? 0));
  }

  /** Whoever said it: it only tells where to look. Through the daemon Nix's own words are not always known as such. */
  function noteError({ text, authentic }: NixMessage): void {
    for (const drvPath of derivationsIn(text)) noteEnd(drvPath, authentic);
  }

  return {
    take(activity, soFar) {
      switch (activity.type) {
        case "derivation-stopped":
          noteEnd(activity.drvPath, true);
          lookSoon(soFar);
          break;
        case "message":
          if (activity.message.level > 0) break;
          noteError(activity.message);
          lookSoon(soFar);
          break;
        case "build-counts":
        case "fetch-counts":
          lookSoon(soFar);
          break;
        case "derivation-planned":
        case "derivation-started":
        case "phase":
        case "log-lines":
        case "waiting":
        case "transferred":
        case "hook-started":
        case "hook-stopped":
      }
    },
    async end() {
      over.abort();
      await looking;
    },
  };
}

/** Nix 2.8: "1 dependencies of derivation 'D' failed to build"; 2.29: "Cannot build 'D'." */
const derivationsIn = (text: string): readonly StorePath[] =>
  [...text.slice(0, 10_000).matchAll(/'(?<drvPath>\/[^'\s]+\.drv)'/g)].map(
    ({ groups }) => groups?.["drvPath"] as StorePath,
  );
