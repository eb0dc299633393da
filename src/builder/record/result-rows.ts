// The rows of builds that are over, and of their hosts. They are stored a little later, and the newest of each host only:
// many builds of the same hosts in a row cost no more than one.
import { createNotifier } from "../../base/notifier.ts";
import type { Clock } from "../../base/clock.ts";
import { HomelabError, isUnavailable } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { workThrough } from "../../base/work-through.ts";
import type { BuilderBus } from "../../bus/bus.ts";
import type { BranchNotices } from "../notices/branch-notices.ts";
import { branchBuildsOf, type BranchBuild } from "../notices/decide-news.ts";
import { foldEvents, type BuildState } from "../../protocol/build-state.ts";
import { isTerminal } from "../../protocol/events.ts";
import type { BuildId } from "../../protocol/names.ts";
import {
  buildResultOf,
  hostResultsOf,
  newerHostResult,
  type BuildResult,
  type HostResult,
} from "../../protocol/results.ts";

const gatherMs = 2_000;
const retryMs = 60_000;
const lookMs = 600_000;
/** How many of the newest builds get their missing rows again. Longer lists read the event logs of the others. */
const lookedAt = 200;
/** Builds that wait for their row while none can be stored. Rows that are left out are restored later. */
const mostWaiting = 1000;
const writesAtOnce = 16;

export interface ResultRows {
  /** Takes a build that ends now; never waits. */
  add(state: BuildState): void;
  /** Stores rows, and makes those again that are missing, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ResultRowsOptions {
  readonly bus: Pick<BuilderBus, "results" | "countEvents" | "lastEvent" | "readEvents">;
  readonly clock: Clock;
  readonly log: Log;
  /** Looks at builds that end now, once their rows are stored. Rows that are restored later are not news. */
  readonly notices: Pick<BranchNotices, "look"> | undefined;
}

export function createResultRows({ bus, clock, log, notices }: ResultRowsOptions): ResultRows {
  const notifier = createNotifier();
  let builds = new Map<BuildId, BuildResult>();
  let hosts = new Map<string, HostResult>();
  let ended: readonly BranchBuild[] = [];

  /** Whether there is anything to store. */
  function take(state: BuildState): boolean {
    const result = buildResultOf(state);
    // A build that has lost its first events cannot be summarized.
    if (result === undefined || (result.startedAt === undefined && result.events > 1)) return false;
    if (builds.size >= mostWaiting) return false;
    builds.set(result.id, result);
    for (const host of hostResultsOf(state)) gather(host);
    notifier.notify();
    return true;
  }

  function gather(host: HostResult): void {
    const name = `${host.repo}/${host.host}`;
    hosts.set(name, newerHostResult(hosts.get(name), host));
  }

  /** The hosts before the build: who sees the row of a build need not read its events. */
  async function store(signal: AbortSignal): Promise<void> {
    const [someBuilds, someHosts, someEnded] = [builds, hosts, ended];
    [builds, hosts, ended] = [new Map(), new Map(), []];
    const rows: HostResult[] = [];
    try {
      await workThrough([...someHosts.values()], writesAtOnce, async (host) => {
        rows.push(await bus.results.putHost(host, signal));
      });
      await notices?.look(someEnded, rows, signal);
      await workThrough([...someBuilds.values()], writesAtOnce, (build) =>
        bus.results.putBuild(build, signal),
      );
    } catch (error) {
      const newer = builds;
      builds = new Map([...someBuilds, ...newer].slice(-mostWaiting));
      for (const host of someHosts.values()) gather(host);
      ended = [...someEnded, ...ended];
      throw error;
    }
  }

  async function storeAll(signal: AbortSignal): Promise<void> {
    for (;;) {
      await notifier.wait(signal);
      await clock.sleep(gatherMs, signal);
      try {
        await store(signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ err: error }, "rows of builds cannot be stored");
        await clock.sleep(retryMs, signal);
        notifier.notify();
      }
    }
  }

  /** After a crash between the last event and the row, an upgrade, or the loss of the bucket. */
  async function makeMissing(signal: AbortSignal): Promise<void> {
    const stored = await bus.results.builds(signal);
    const newest = [...(await bus.countEvents(signal)).keys()].slice(0, lookedAt);
    // The oldest first: since when a host fails is told by what came before.
    for (const id of newest.toReversed()) {
      if (stored.has(id) || builds.has(id)) continue;
      try {
        const last = await bus.lastEvent(id, signal);
        if (last !== undefined && isTerminal(last)) take(foldEvents(id, await bus.readEvents(id, 0, signal)));
      } catch (error) {
        // Events that are gone, or that this release cannot read.
        if (signal.aborted || !(error instanceof HomelabError) || isUnavailable(error)) throw error;
      }
    }
  }

  async function lookAfter(signal: AbortSignal): Promise<void> {
    for (;;) {
      let waitMs = lookMs;
      try {
        await makeMissing(signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ err: error }, "rows of builds cannot be looked for");
        waitMs = retryMs;
      }
      await clock.sleep(waitMs, signal);
    }
  }

  return {
    add(state) {
      if (take(state) && notices !== undefined) ended = [...ended, ...branchBuildsOf(state)];
    },
    async run(signal) {
      await Promise.all([storeAll(signal), lookAfter(signal)]);
    },
  };
}
