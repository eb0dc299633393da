// The builds that this builder holds, from the moment it claims them until they are over here.
import type { Clock } from "../../base/clock.ts";
import { isBug } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BuilderBus, EventLogWriter } from "../../bus/bus.ts";
import {
  applyEvent,
  foldEvents,
  openHosts,
  unknownBuild,
  type BuildState,
} from "../../protocol/build-state.ts";
import { inEvents } from "../../protocol/event-parts.ts";
import { composeEvent, isTerminal, type BuildEvent, type EventBody } from "../../protocol/events.ts";
import type { BuilderName, BuildId, RepoName } from "../../protocol/names.ts";
import { endingBy, endingOf, isSuperseded, storeEnding, type Ending } from "../record/end-build.ts";
import type { Engine } from "../engine.ts";
import type { BuildSource } from "../work.ts";

export interface Holdings {
  readonly holds: (id: BuildId) => boolean;
  readonly size: () => number;
  /** When each of them was accepted. */
  readonly starts: () => readonly Date[];
  /** Resolves when nothing that was begun here runs any more. */
  readonly settled: () => Promise<void>;
  /**
   * Writes the first event of a build, in parts where it is too large for one. False when it already has one: it is
   * not ours to begin.
   */
  begin(id: BuildId, body: EventBody, sources?: ReadonlyMap<RepoName, BuildSource>): Promise<boolean>;
  /** Resumes a build that another builder, or an earlier run of this one, began. */
  resume(
    events: readonly BuildEvent[],
    findSources: (state: BuildState) => Promise<ReadonlyMap<RepoName, BuildSource>>,
  ): Promise<void>;
  /** Takes a build over, whoever holds it, only to end it. */
  end(events: readonly BuildEvent[], ending: Ending): Promise<void>;
  /** The same for a build whose first events are gone: its hosts are unknown. */
  endUnread(last: BuildEvent, ending: Ending): Promise<void>;
}

export interface HoldingsOptions {
  readonly bus: BuilderBus;
  readonly engine: Engine;
  readonly builder: BuilderName;
  readonly clock: Clock;
  readonly log: Log;
  readonly onStored: (event: BuildEvent, state: BuildState) => void;
  /** The build is over here. */
  readonly onOver: (id: BuildId, state: BuildState) => void;
}

/** What we may append to a log, and what it says by now. */
interface Hold {
  readonly writer: EventLogWriter;
  readonly epoch: number;
  readonly state: BuildState;
}

export function createHoldings(options: HoldingsOptions, signal: AbortSignal): Holdings {
  const { bus, engine, builder, clock, log, onStored, onOver } = options;
  /** As we know them, from the moment on that we claim them. */
  const held = new Map<BuildId, BuildState>();
  const tasks = new Set<Promise<void>>();

  async function append({ writer, epoch, state }: Hold, bodies: readonly EventBody[]): Promise<Hold> {
    let after = state;
    for (const body of bodies) {
      const envelope = { build: after.id, epoch, index: after.nextIndex, at: clock.now().toISOString() };
      const event = composeEvent(envelope, body);
      await writer.append(event, signal);
      after = applyEvent(after, event);
      held.set(after.id, after);
      onStored(event, after);
    }
    return { writer, epoch, state: after };
  }

  /** From here on whoever had the build cannot add to its log. */
  async function takeOver(id: BuildId, events: readonly BuildEvent[]): Promise<Hold> {
    const state = foldEvents(id, events);
    const writer = await bus.openEventLog(id, events, signal);
    return append({ writer, epoch: state.epoch + 1, state }, [{ type: "resumed", builder }]);
  }

  async function finish(hold: Hold, ending: Ending): Promise<void> {
    let last = hold;
    await storeEnding(endingOf(hold.state, ending, clock.now()), async (body) => {
      last = await append(last, [body]);
    });
  }

  function release(id: BuildId): void {
    const state = held.get(id);
    held.delete(id);
    if (state !== undefined && state.nextIndex > 0) onOver(id, state);
  }

  function run({ state, writer }: Hold, sources: ReadonlyMap<RepoName, BuildSource>): void {
    const task: Promise<void> = engine
      .start({ state, writer, sources })
      .catch((error: unknown) => log.error({ build: state.id, err: error }, "a build stopped by a bug"))
      .finally(() => {
        release(state.id);
        tasks.delete(task);
      });
    tasks.add(task);
  }

  /** Holds the build for what is done about it, and on while it runs. Undefined when another builder has it. */
  async function holding<T>(
    id: BuildId,
    work: () => Promise<{ readonly result: T; readonly runs: boolean }>,
  ): Promise<T | undefined> {
    held.set(id, unknownBuild(id));
    let runs = false;
    try {
      const done = await work();
      runs = done.runs;
      return done.result;
    } catch (error) {
      if (isSuperseded(error)) return undefined;
      throw error;
    } finally {
      if (!runs) release(id);
    }
  }

  return {
    holds: (id) => held.has(id),
    size: () => held.size,
    starts: () =>
      [...held.values()].flatMap(({ startedAt }) => (startedAt === undefined ? [] : new Date(startedAt))),
    async settled() {
      while (tasks.size > 0) await Promise.allSettled(tasks);
    },
    async begin(id, body, sources) {
      if (held.has(id)) return false;
      const begun = await holding(id, async () => {
        const writer = await bus.openEventLog(id, [], signal);
        const hold = await append({ writer, epoch: 1, state: unknownBuild(id) }, inEvents(body));
        if (sources !== undefined) run(hold, sources);
        return { result: true, runs: sources !== undefined };
      });
      return begun === true;
    },
    async resume(events, findSources) {
      const id = openBuildOf(events);
      if (id === undefined || held.has(id)) return;
      await holding(id, async () => {
        const hold = await takeOver(id, events);
        const { state, epoch } = hold;
        log.info({ build: id, epoch, open: openHosts(state).length }, "resumed a build");
        let sources: ReadonlyMap<RepoName, BuildSource>;
        try {
          sources = await findSources(state);
        } catch (error) {
          signal.throwIfAborted();
          // Its commit or its repo cannot be had here.
          if (isBug(error)) log.error({ build: id, err: error }, "a bug keeps a build from being resumed");
          await finish(hold, endingBy(error, "the build cannot be resumed"));
          return { result: undefined, runs: false };
        }
        run(hold, sources);
        return { result: undefined, runs: true };
      });
    },
    async endUnread(last, { verdict, reason }) {
      const id = openBuildOf([last]);
      if (id === undefined || held.has(id)) return;
      await holding(id, async () => {
        const state = stateAfter(last);
        const hold = { writer: await bus.openEventLog(id, [last], signal), epoch: state.epoch + 1, state };
        await append(hold, [{ type: "finished", verdict, reason, durationMs: 0 }]);
        log.warn({ build: id, because: reason }, "ended a build that has lost events");
        return { result: undefined, runs: false };
      });
    },
    async end(events, ending) {
      const id = openBuildOf(events);
      if (id === undefined) return;
      const end = async () => {
        const hold = await takeOver(id, events);
        await finish(hold, ending);
        log.warn({ build: id, epoch: hold.epoch, because: ending.reason }, "ended a build");
        return { result: undefined, runs: false };
      };
      if (!held.has(id)) {
        await holding(id, end);
        return;
      }
      // Our own engine has it. As any other builder would, it learns from the log that it lost the build.
      try {
        await end();
      } catch (error) {
        if (!isSuperseded(error)) throw error;
      }
    },
  };
}

/** What the last event alone says about a build. */
const stateAfter = ({ build, epoch, index }: BuildEvent): BuildState => ({
  ...unknownBuild(build),
  epoch,
  nextIndex: index + 1,
});

/** Whoever read the log may have seen its end since somebody looked whether there was one. */
function openBuildOf(events: readonly BuildEvent[]): BuildId | undefined {
  const last = events.at(-1);
  return last === undefined || isTerminal(last) ? undefined : last.build;
}
