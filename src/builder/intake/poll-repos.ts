// New commits start builds by themselves: this is what replaces a timer that builds everything.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import { isTerminal } from "../../protocol/events.ts";
import type { BuilderName, BuildId, Commit, RepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import type { Repo } from "../repo.ts";

/** The commit of each repo that the last batch build was asked for; kept across restarts. */
export interface PolledCommits {
  get(repo: RepoName): Commit | undefined;
  set(repo: RepoName, commit: Commit): Promise<void>;
}

export interface RepoPollerOptions {
  readonly repo: Repo;
  readonly bus: BuildReader;
  readonly builder: BuilderName;
  readonly polled: PolledCommits;
  readonly clock: Clock;
  readonly log: Log;
}

/** Asks for a batch build of the repo at each new commit until the signal aborts. */
export async function runRepoPoller(
  { repo, bus, builder, polled, clock, log }: RepoPollerOptions,
  signal: AbortSignal,
): Promise<void> {
  let asked: BuildId | undefined;
  for (;;) {
    try {
      // While the last one is not over, further commits wait: the newest of them is then built at once.
      if (asked === undefined || (await isOver(bus, asked, signal))) {
        const commit = await repo.mirror.resolveBranch(repo.branch, signal);
        if (commit !== polled.get(repo.name)) {
          asked = newBuildId(clock.now());
          const requestedBy = `new commit, seen by ${builder}`;
          await bus.submit(
            { repo: repo.name, host: "all" },
            { id: asked, rev: commit, priority: "batch", trigger: "poll", requestedBy },
            signal,
          );
          await polled.set(repo.name, commit);
          log.info({ repo: repo.name, commit, build: asked }, "asked for a build of a new commit");
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ repo: repo.name, err: error }, "a repo could not be polled");
    }
    await clock.sleep(repo.pollMs, signal);
  }
}

async function isOver(bus: BuildReader, id: BuildId, signal: AbortSignal): Promise<boolean> {
  const last = await bus.lastEvent(id, signal);
  return last !== undefined && isTerminal(last);
}
