// The bus of a process that builds for itself alone: the same contract as over NATS, without a server and without
// anything that survives the process.
import { createNotifier, type Notifier } from "../base/notifier.ts";
import type { Clock } from "../base/clock.ts";
import type { BuilderStatus } from "../protocol/builder-status.ts";
import { decodeEvent, encodeEvent, isTerminal, type BuildEvent } from "../protocol/events.ts";
import type { LogChunk } from "../protocol/log-chunk.ts";
import type { BuildId, RepoName } from "../protocol/names.ts";
import type { BuildProgress } from "../protocol/progress.ts";
import { encodeControl, encodeRequest } from "../protocol/request.ts";
import {
  decodeBuildResult,
  decodeHostResult,
  encodeBuildResult,
  encodeHostResult,
  newerHostResult,
  type BuildResult,
  type HostResult,
} from "../protocol/results.ts";
import { controlSubject, hostResultKey, requestSubject } from "../protocol/subjects.ts";
import {
  NotTheHolderError,
  type BuilderBus,
  type BuildMessage,
  type Delivery,
  type StoredTold,
} from "./bus.ts";

/** Characters of log text that are kept in memory; the oldest go first. */
const keptLogText = 64 * 1024 * 1024;

interface StoredBuild {
  readonly events: BuildEvent[];
  readonly logs: LogChunk[];
  progress: BuildProgress | undefined;
  readonly followers: Set<Notifier>;
}

interface Queued {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly sequence: number;
  readonly storedAt: Date;
  deliveries: number;
}

export function createMemoryBus(clock: Clock): BuilderBus {
  const builds = new Map<BuildId, StoredBuild>();
  const statuses = new Map<string, BuilderStatus>();
  const buildResults = new Map<BuildId, BuildResult>();
  const hostResults = new Map<string, HostResult>();
  const toldRows = new Map<RepoName, StoredTold>();
  const queues = { request: [] as Queued[], backlog: [] as Queued[], control: [] as Queued[] };
  const notifiers = { request: createNotifier(), backlog: createNotifier(), control: createNotifier() };
  const controlWatchers = new Set<(subject: string, data: Uint8Array) => void>();
  const submitted = new Set<BuildId>();
  const created = clock.now().toISOString();
  let sequence = 0;
  let logText = 0;

  function stored(id: BuildId): StoredBuild {
    const known = builds.get(id) ?? { events: [], logs: [], progress: undefined, followers: new Set() };
    builds.set(id, known);
    return known;
  }

  const changed = (build: StoredBuild): void => build.followers.forEach((follower) => follower.notify());

  function enqueue(kind: keyof typeof queues, subject: string, data: Uint8Array): void {
    queues[kind].push({ subject, data, sequence: ++sequence, storedAt: clock.now(), deliveries: 0 });
    notifiers[kind].notify();
  }

  async function next(kind: keyof typeof queues, signal: AbortSignal): Promise<Delivery> {
    for (;;) {
      const message = queues[kind].shift();
      if (message !== undefined) return delivery(kind, message);
      await notifiers[kind].wait(signal);
    }
  }

  function delivery(kind: keyof typeof queues, message: Queued): Delivery {
    message.deliveries++;
    const { subject, data, storedAt } = message;
    return {
      subject,
      data,
      sequence: message.sequence,
      storedAt,
      streamCreated: created,
      deliveryCount: message.deliveries,
      working() {},
      async ack() {},
      handBack(delayMs) {
        void clock.sleep(delayMs).then(() => {
          queues[kind].push(message);
          notifiers[kind].notify();
          return undefined;
        });
      },
    };
  }

  function forgetOldLogs(): void {
    for (const build of builds.values()) {
      while (logText > keptLogText && build.logs.length > 0) logText -= build.logs.shift()?.text.length ?? 0;
    }
  }

  async function* follow(
    id: BuildId,
    options: { readonly progress?: boolean; readonly logs?: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<BuildMessage> {
    const build = stored(id);
    const notifier = createNotifier();
    build.followers.add(notifier);
    let events = 0;
    let lastLog: LogChunk | undefined;
    let progress: BuildProgress | undefined;
    try {
      for (;;) {
        const logs =
          options.logs === true
            ? build.logs.slice(lastLog === undefined ? 0 : build.logs.indexOf(lastLog) + 1)
            : [];
        for (const chunk of logs) yield { type: "log", chunk };
        lastLog = logs.at(-1) ?? lastLog;
        if (options.progress === true && build.progress !== undefined && build.progress !== progress) {
          progress = build.progress;
          yield { type: "progress", progress };
        }
        for (let event = build.events[events]; event !== undefined; event = build.events[events]) {
          events++;
          yield { type: "event", event };
          if (isTerminal(event)) return;
        }
        await notifier.wait(signal);
      }
    } finally {
      build.followers.delete(notifier);
    }
  }

  return {
    serverWarnings: [],
    // Updates that build in this process tell nobody on a bus.
    async *followUpdates() {},
    updates: { newest: async () => [], of: async () => [] },
    isConnected: () => true,
    async submit(target, request) {
      if (submitted.has(request.id)) return;
      submitted.add(request.id);
      enqueue("request", requestSubject(target), encodeRequest(request));
    },
    async control(id, message) {
      const data = encodeControl(message);
      for (const watcher of controlWatchers) watcher(controlSubject(id), data);
      enqueue("control", controlSubject(id), data);
    },
    readEvents: async (id, fromIndex) => stored(id).events.slice(fromIndex),
    follow,
    async *readLogs(id) {
      yield* stored(id).logs;
    },
    listBuilds: async () =>
      [...builds]
        .filter(([, build]) => build.events.length > 0)
        .map(([id]) => id)
        .toSorted()
        .toReversed(),
    countEvents: async () =>
      new Map(
        [...builds]
          .filter(([, { events }]) => events.length > 0)
          .map(([id, { events }]): [BuildId, number] => [id, events.length])
          .toSorted(([a], [b]) => (a < b ? 1 : -1)),
      ),
    results: {
      builds: async () => new Set(buildResults.keys()),
      build: async (id) => buildResults.get(id),
      hosts: async () => [...hostResults.values()],
      async putBuild(result) {
        if ((buildResults.get(result.id)?.events ?? 0) >= result.events) return;
        // As over NATS, readers get what was written.
        buildResults.set(result.id, decodeBuildResult(encodeBuildResult(result)));
      },
      async putHost(result) {
        const key = hostResultKey(result);
        const newer = newerHostResult(hostResults.get(key), result);
        const row = decodeHostResult(encodeHostResult(newer));
        hostResults.set(key, row);
        return row;
      },
      told: async (repo) => toldRows.get(repo) ?? { told: undefined, sequence: 0 },
      async putTold(told, place) {
        if ((toldRows.get(told.repo)?.sequence ?? 0) !== place) return false;
        toldRows.set(told.repo, { told, sequence: place + 1 });
        return true;
      },
    },
    acceptedBuilds: async (count) =>
      [...builds]
        .filter(([, { events }]) => events.some(({ type }) => type === "accepted"))
        .map(([id]) => id)
        .toSorted()
        .toReversed()
        .slice(0, count),
    lastEvent: async (id) => stored(id).events.at(-1),
    askBuilder: async (name) => statuses.get(name),
    listBuilders: async () => [...statuses.values()],
    readQueue: async () => ({ waiting: queues.request.length + queues.backlog.length, targets: [] }),
    queueLength: async () => queues.request.length + queues.backlog.length,
    nextRequest: async (signal, { wait = true } = {}) =>
      wait || queues.request.length > 0 ? next("request", signal) : undefined,
    openBacklog: async () => ({
      async add({ subject, data, sequence: place, storedAt }) {
        queues.backlog.push({ subject, data, sequence: place, storedAt, deliveries: 0 });
        notifiers.backlog.notify();
        return true;
      },
      next: async (signal, { wait = true } = {}) =>
        wait || queues.backlog.length > 0 ? next("backlog", signal) : undefined,
    }),
    nextControl: (signal) => next("control", signal),
    eventSpace: async () => ({
      bytes: 0,
      maxBytes: -1,
      firstSequence: 1,
      oldestAt: clock.now(),
      newestAt: clock.now(),
    }),
    watchControls(onControl, signal) {
      controlWatchers.add(onControl);
      signal.addEventListener("abort", () => controlWatchers.delete(onControl), { once: true });
    },
    async openEventLog(id, history) {
      const build = stored(id);
      let expected = (history.at(-1)?.index ?? -1) + 1;
      return {
        async append(event) {
          if (build.events.length !== expected) throw new NotTheHolderError(`build ${id} has another holder`);
          if (event.build !== id || event.index !== expected) {
            throw new RangeError(
              `event ${event.index} of build ${event.build} came when ${expected} was next`,
            );
          }
          // As over NATS, readers get what was written.
          build.events.push(decodeEvent(encodeEvent(event)));
          expected++;
          changed(build);
        },
      };
    },
    async appendLog(chunk) {
      const build = stored(chunk.build);
      build.logs.push(chunk);
      logText += chunk.text.length;
      if (logText > keptLogText) forgetOldLogs();
      changed(build);
    },
    publishProgress(progress) {
      const build = stored(progress.build);
      build.progress = progress;
      changed(build);
    },
    reply() {},
    async putStatus(status) {
      statuses.set(status.name, status);
    },
    answerStatus() {},
  };
}
