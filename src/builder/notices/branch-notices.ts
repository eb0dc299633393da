// Keeps news of branches to be told, and tells them. What was told last is a row that all builders share.
import type { Clock } from "../../base/clock.ts";
import { createNotifier } from "../../base/notifier.ts";
import type { Log } from "../../base/log.ts";
import type { BuilderBus } from "../../bus/bus.ts";
import { keepTelling, type Outbox } from "../../notify/outbox.ts";
import type { BranchNews } from "../../protocol/branch-news.ts";
import type { RepoName } from "../../protocol/names.ts";
import type { HostResult } from "../../protocol/results.ts";
import { assumeTold, decideNews, type BranchBuild } from "./decide-news.ts";

export interface BranchNotices {
  /**
   * Decides what these builds change for people, and keeps it to be told.
   *
   * @param rows of their hosts, as they are stored now
   */
  look(builds: readonly BranchBuild[], rows: readonly HostResult[], signal: AbortSignal): Promise<void>;
  /** Tells what is kept, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface BranchNoticesOptions {
  readonly results: Pick<BuilderBus["results"], "hosts" | "told" | "putTold">;
  readonly outbox: Pick<Outbox<BranchNews>, "keep" | "drop" | "flush">;
  readonly clock: Clock;
  readonly log: Log;
}

export function createBranchNotices({ results, outbox, clock, log }: BranchNoticesOptions): BranchNotices {
  const notifier = createNotifier();

  /** First kept, then stored as told: after a crash in between news are told twice, and never not at all. */
  async function lookAt(
    repo: RepoName,
    builds: readonly BranchBuild[],
    rows: readonly HostResult[],
    signal: AbortSignal,
  ): Promise<void> {
    const [oldest] = builds;
    if (oldest === undefined) return;
    let kept: readonly BranchNews[] = [];
    for (;;) {
      const stored = await results.told(repo, signal);
      let told = stored.told ?? assumeTold(oldest, await results.hosts(signal));
      const before = JSON.stringify(stored.told);
      const news: BranchNews[] = [];
      for (const build of builds) {
        const decided = decideNews(told, build, rows);
        told = decided.told;
        if (decided.news !== undefined) news.push(decided.news);
      }
      for (const each of kept) await outbox.drop(each);
      for (const each of news) await outbox.keep(each);
      kept = news;
      // Where another builder was faster, it may have told the same.
      if (JSON.stringify(told) !== before && !(await results.putTold(told, stored.sequence, signal)))
        continue;
      for (const { build, failing, mended } of news) {
        log.info({ repo, build, failing: failing.count, mended: mended.count }, "news of a branch");
      }
      if (news.length > 0) notifier.notify();
      return;
    }
  }

  return {
    async look(builds, rows, signal) {
      const inOrder = builds.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      for (const [repo, some] of Map.groupBy(inOrder, (build) => build.repo)) {
        await lookAt(repo, some, rows, signal);
      }
    },
    run: async (signal) => keepTelling(outbox, notifier, clock, signal),
  };
}
