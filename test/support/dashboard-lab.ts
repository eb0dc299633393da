// A fleet that is told of on a real nats-server, without anything being built: for what shows it.
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import type { BuilderBus, EventLogWriter } from "../../src/bus/bus.ts";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { publishUpdateEvent } from "../../src/bus/publish-update.ts";
import { setUpStreams } from "../../src/bus/server/setup.ts";
import { systemClock } from "../../src/base/clock.ts";
import { workThrough } from "../../src/base/work-through.ts";
import { silentLog } from "../../src/base/log.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { createDeployReader } from "../../src/bus/deploy/create-deploy-reader.ts";
import { createListenerBus } from "../../src/bus/deploy/create-listener-bus.ts";
import { createRolloutBus } from "../../src/bus/rollout/create-rollout-bus.ts";
import { createRolloutReader } from "../../src/bus/rollout/create-rollout-reader.ts";
import { createFleetWatcher } from "../../src/bus/watch/fleet-watcher.ts";
import { runDashboard, type DashboardOptions } from "../../src/dashboard/run-dashboard.ts";
import type { DeployReader, HostAddress } from "../../src/bus/deploy-bus.ts";
import type { OrderId } from "../../src/protocol/deploy/order.ts";
import type { DeployEvent } from "../../src/protocol/deploy/deploy-events.ts";
import type { HostState } from "../../src/protocol/deploy/host-state.ts";
import type { LogChunk } from "../../src/protocol/log-chunk.ts";
import { parseBuilderName, parseRepoName, type BuildId } from "../../src/protocol/names.ts";
import { buildResultOf, hostResultsOf } from "../../src/protocol/results.ts";
import type { UpdateEvent } from "../../src/protocol/update-events.ts";
import type { RolloutEvent } from "../../src/protocol/rollout/rollout-events.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { scriptBuild, type BuildScript } from "./build-events.ts";
import { connectTo, startNatsServer, type NatsServer } from "./nats-server.ts";

const forever = new AbortController().signal;

export interface DashboardLab extends AsyncDisposable {
  readonly server: NatsServer;
  readonly bus: BuilderBus;
  readonly connection: Connection;
  /** Events of a build that has none yet, in its log; with the rows where it is over. */
  tell(script: BuildScript): Promise<void>;
  /** More events of one that was told of. */
  tellMore(script: BuildScript): Promise<void>;
  tellUpdate(event: UpdateEvent): Promise<void>;
  printLog(build: BuildId, log: number, text: string, more?: Partial<LogChunk>): Promise<void>;
  builderIsHere(name: string, more?: object): Promise<void>;
  /** A host says what it runs. */
  hostIs(state: HostState): Promise<void>;
  /** Events of a host's log, from those that it has not stored yet. */
  tellDeployment(events: readonly DeployEvent[]): Promise<void>;
  /** Events of a rollout of `nixos-servers`, from those that its log does not have yet. */
  tellRollout(events: readonly RolloutEvent[]): Promise<void>;
  /** A piece of what an activation printed. */
  printOutput(host: HostAddress, order: OrderId, index: number, text: string): Promise<void>;
  /** A dashboard of its own connection, on any free port. */
  serve(options?: Partial<DashboardOptions>): Promise<ServedDashboard>;
}

export interface ServedDashboard extends AsyncDisposable {
  readonly url: string;
}

const chunkLength = 64 * 1024;

export async function startDashboardLab(): Promise<DashboardLab> {
  const server = await startNatsServer();
  const connection = await connectTo(server);
  await setUpStreams(connection);
  const bus = createBuilderBus(connection);
  const logs = new Map<BuildId, { readonly log: EventLogWriter; told: number }>();

  async function tellMore(script: BuildScript): Promise<void> {
    const known = logs.get(script.id) ?? { log: await bus.openEventLog(script.id, [], forever), told: 0 };
    logs.set(script.id, known);
    for (const event of script.events.slice(known.told)) await known.log.append(event, forever);
    known.told = script.events.length;
    const row = buildResultOf(script.state);
    if (row === undefined) return;
    logs.delete(script.id);
    await workThrough([...hostResultsOf(script.state)], 50, async (host) => {
      await bus.results.putHost(host, forever);
    });
    await bus.results.putBuild(row, forever);
  }

  return {
    server,
    bus,
    connection,
    tell: tellMore,
    tellMore,
    tellUpdate: async (event) => publishUpdateEvent(connection, event, forever),
    async printLog(build, log, text, more = {}) {
      let index = more.index ?? 0;
      for (let at = 0; at < text.length; index++) {
        const cut = text.lastIndexOf("\n", at + chunkLength - 1);
        const end = at + chunkLength >= text.length ? text.length : cut < at ? at + chunkLength : cut + 1;
        const drvPath = `/nix/store/${"0".repeat(32)}-hello.drv`;
        await bus.appendLog(
          { build, log, kind: "live", drvPath, dropped: 0, ...more, index, text: text.slice(at, end) },
          forever,
        );
        at = end;
      }
    },
    async builderIsHere(name, more = {}) {
      const now = new Date();
      await bus.putStatus(
        {
          name: parseBuilderName(name),
          version: "0.1.0",
          nixVersion: "2.31.2",
          systems: ["x86_64-linux"],
          repos: [parseRepoName("nixos-servers")],
          at: now.toISOString(),
          startedAt: new Date(now.getTime() - 3 * 86_400_000).toISOString(),
          evaluationSlots: 4,
          builds: [],
          ...more,
        },
        forever,
      );
    },
    hostIs: async (state) => createListenerBus(connection, state).putHostState(state, forever),
    async tellDeployment(events) {
      for (const event of events) await createListenerBus(connection, event).appendEvent(event, forever);
    },
    async tellRollout(events) {
      const [first] = events;
      if (first === undefined) return;
      const rollouts = createRolloutBus(connection);
      const stored = await rollouts.readRollout(first.rollout, forever);
      let after: number | undefined = stored.sequence;
      for (const event of events.slice(stored.events.length)) {
        const ofServers = { ...event, repo: parseRepoName("nixos-servers") };
        after = await rollouts.appendRolloutEvent(ofServers, after, forever);
        if (after === undefined) throw new Error("somebody else writes this rollout's log");
      }
    },
    printOutput: async (host, order, index, text) =>
      createListenerBus(connection, host).appendOutput({ order, index, text, end: text.length }, forever),
    async serve(options = {}) {
      const own = await connectTo(server, { role: "daemon" });
      const stopped = new AbortController();
      const dashboard = await runDashboard(
        {
          reader: createReader(own),
          deploy: asSaid(createDeployReader(own)),
          rollouts: createRolloutReader(own),
          watcher: createFleetWatcher(own),
          probeCache: async () => undefined,
          readAlerts: async () => undefined,
          listen: { host: "127.0.0.1", port: 0 },
          gate: { allowedHosts: ["127.0.0.1", "localhost"], auth: { mode: "none" } },
          logs: "everybody",
          links: {},
          version: "0.1.0",
          clock: systemClock,
          log: silentLog,
          ...options,
        },
        stopped.signal,
      );
      return {
        url: `http://127.0.0.1:${dashboard.port}`,
        async [Symbol.asyncDispose]() {
          stopped.abort(new Error("the test is over"));
          await dashboard[Symbol.asyncDispose]();
          await own.close();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await connection.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Nobody can store something in the past: here a host was heard when it says so itself. */
const asSaid = (reader: DeployReader): DeployReader => {
  const said = (state: HostState): HostState => ({ ...state, heardAt: state.at });
  return {
    ...reader,
    hostStates: async (signal, repo) => (await reader.hostStates(signal, repo)).map(said),
    async hostState(address, signal) {
      const state = await reader.hostState(address, signal);
      return state === undefined ? undefined : said(state);
    },
  };
};

/** A build of that time. */
export const buildAt = (time: Date): BuildScript => scriptBuild(newBuildId(time), time.toISOString());
