// Roots and memory of old commits go when builds are over, never those that running builds use. All roots of a repo are
// read for that, so it is done at once after a build of another commit, and after many of the same one once in a while.
import type { Clock } from "../base/clock.ts";
import { createNotifier, type Notifier } from "../base/notifier.ts";
import type { Log } from "../base/log.ts";
import type { EvaluationMemory } from "../nix/evaluator.ts";
import type { BuildId, RepoName } from "../protocol/names.ts";
import { revisionName, type Revision, type RevisionName } from "../protocol/overrides.ts";
import type { RunningBuild } from "./work.ts";

const againMs = 60_000;

/**
 * Evaluations are remembered of at least so many. They are small, unlike what roots keep: and an update that looks
 * for what breaks hosts asks about some dozens, which must not displace the branch's own, nor each other until tomorrow.
 */
const rememberedRevisions = 64;

export interface RetentionOptions {
  readonly dropOldRoots: (repos: readonly RepoName[], signal: AbortSignal) => Promise<void>;
  readonly memory: EvaluationMemory;
  readonly keepCommits: number;
  readonly builds: ReadonlyMap<BuildId, RunningBuild>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Retention {
  /** A build of that revision is over; never waits. */
  over(source: Revision & { readonly repo: RepoName }): void;
  /** Resolves when nothing of it runs; what waits for its time ends with the signal. */
  settled(): Promise<void>;
}

interface LookedAfter {
  hasChanged: boolean;
  readonly seen: Set<RevisionName>;
  /** Rings for a revision that was not seen since it is looked after. */
  readonly another: Notifier;
}

export function createRetention(options: RetentionOptions, signal: AbortSignal): Retention {
  const { dropOldRoots, memory, keepCommits, builds, clock, log } = options;
  const repos = new Map<RepoName, LookedAfter>();
  const running = new Set<Promise<void>>();

  async function retain(repo: RepoName): Promise<void> {
    try {
      await dropOldRoots([repo], signal);
      const inUse = new Set<RevisionName>();
      for (const build of builds.values()) {
        for (const source of build.sources.values())
          if (source.repo === repo) inUse.add(revisionName(source));
      }
      await memory.prune(repo, Math.max(keepCommits, rememberedRevisions), inUse);
    } catch (error) {
      if (!signal.aborted) log.warn({ repo, err: error }, "old GC roots could not be dropped");
    }
  }

  async function lookAfter(repo: RepoName, state: LookedAfter): Promise<void> {
    try {
      while (state.hasChanged) {
        state.hasChanged = false;
        await retain(repo);
        await untilAgain(state.another);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      repos.delete(repo);
    }
  }

  async function untilAgain(another: Notifier): Promise<void> {
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const waits = [clock.sleep(againMs, until), another.wait(until)];
    try {
      await Promise.race(waits);
    } finally {
      over.abort();
      await Promise.allSettled(waits);
    }
  }

  return {
    over(source) {
      if (signal.aborted) return;
      const { repo } = source;
      const known = repos.get(repo);
      const state = known ?? { hasChanged: true, seen: new Set(), another: createNotifier() };
      state.hasChanged = true;
      const name = revisionName(source);
      if (known !== undefined && !state.seen.has(name)) state.another.notify();
      state.seen.add(name);
      if (known !== undefined) return;
      repos.set(repo, state);
      const task: Promise<void> = lookAfter(repo, state).finally(() => running.delete(task));
      running.add(task);
    },
    async settled() {
      await Promise.allSettled(running);
    },
  };
}
