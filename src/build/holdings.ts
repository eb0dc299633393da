// The builds that this builder holds, from the moment it claims them until they are over here.
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { BuilderBus } from "../bus/bus.ts";
import { applyEvent, foldEvents, openHosts, unknownBuild, type BuildState } from "../protocol/build-state.ts";
import { composeEvent, type BuildEvent, type EventBody } from "../protocol/events.ts";
import type { BuilderName, BuildId, RepoName } from "../protocol/names.ts";
import { decideBuildVerdict } from "../protocol/verdicts.ts";
import { isSuperseded } from "./build-record.ts";
import type { Engine } from "./engine.ts";
import type { BuildSource } from "./running-build.ts";

export interface Holdings {
  readonly holds: (id: BuildId) => boolean;
  readonly size: () => number;
  /**
   * Writes the first event of a build. False when it already has one: it is not ours to begin.
   */
  begin(id: BuildId, body: EventBody, sources?: ReadonlyMap<RepoName, BuildSource>): Promise<boolean>;
  /** Goes on with a build that another builder, or an earlier run of this one, began. */
  resume(
    events: readonly BuildEvent[],
    findSources: (state: BuildState) => Promise<ReadonlyMap<RepoName, BuildSource>>,
  ): Promise<void>;
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

export function createHoldings(options: HoldingsOptions, signal: AbortSignal): Holdings {
  const { bus, engine, builder, clock, log, onStored, onOver } = options;
  const held = new Set<BuildId>();

  const eventAfter = (state: BuildState, epoch: number, body: EventBody): BuildEvent =>
    composeEvent({ build: state.id, epoch, index: state.nextIndex, at: clock.now().toISOString() }, body);

  function run(
    state: BuildState,
    writer: Parameters<Engine["start"]>[0]["writer"],
    sources: ReadonlyMap<RepoName, BuildSource>,
  ): void {
    engine
      .start({ state, writer, sources })
      .catch((error: unknown) =>
        log.error({ build: state.id, error: messageOf(error) }, "a build stopped by a bug"),
      )
      .finally(() => {
        held.delete(state.id);
        onOver(state.id, state);
      });
  }

  return {
    holds: (id) => held.has(id),
    size: () => held.size,
    async begin(id, body, sources) {
      if (held.has(id)) return false;
      held.add(id);
      let running = false;
      try {
        const writer = await bus.openEventLog(id, [], signal);
        const event = eventAfter(unknownBuild(id), 1, body);
        await writer.append(event, signal);
        const state = applyEvent(unknownBuild(id), event);
        onStored(event, state);
        if (sources !== undefined) {
          running = true;
          run(state, writer, sources);
        }
        return true;
      } catch (error) {
        if (isSuperseded(error)) return false;
        throw error;
      } finally {
        if (!running) held.delete(id);
      }
    },
    async resume(events, findSources) {
      const [first] = events;
      if (first === undefined || held.has(first.build)) return;
      const id = first.build;
      held.add(id);
      let running = false;
      try {
        const before = foldEvents(id, events);
        const writer = await bus.openEventLog(id, events, signal);
        const epoch = before.epoch + 1;
        const resumed = eventAfter(before, epoch, { type: "resumed", builder });
        await writer.append(resumed, signal);
        let state = applyEvent(before, resumed);
        onStored(resumed, state);
        log.info({ build: id, epoch, open: openHosts(state).length }, "went on with a build");
        try {
          const sources = await findSources(state);
          running = true;
          run(state, writer, sources);
        } catch (error) {
          signal.throwIfAborted();
          for (const body of giveUp(state, messageOf(error))) {
            const event = eventAfter(state, epoch, body);
            await writer.append(event, signal);
            state = applyEvent(state, event);
            onStored(event, state);
          }
        }
      } catch (error) {
        if (!isSuperseded(error)) throw error;
      } finally {
        if (!running) held.delete(id);
      }
    },
  };
}

/** The build cannot go on here: its commit or repo is gone. */
function giveUp(state: BuildState, reason: string): EventBody[] {
  const hosts = openHosts(state).map(({ repo, host }) => ({
    repo,
    host,
    verdict: "infra-failed" as const,
    reason,
    durationMs: 0,
  }));
  const verdict = decideBuildVerdict(
    [...state.hosts.values()].map((host) => host.finished?.verdict ?? "infra-failed"),
  );
  return [
    { type: "hosts-finished", hosts },
    { type: "finished", verdict, reason, durationMs: 0 },
  ];
}
