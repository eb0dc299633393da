// One life of a lab, without a process or a second of waiting: builders on a bus in memory, a clock that is turned, and
// whatever can go wrong at the ports at random. The seed decides all of it.
import { lockedInputs } from "../../src/nix/lock/locked-inputs.ts";
import { HomelabError } from "../../src/base/errors.ts";
import type { BuilderBus, Delivery } from "../../src/bus/bus.ts";
import { createMemoryBus } from "../../src/bus/memory-bus.ts";
import type { Mirror } from "../../src/git/git.ts";
import type { GcRoots } from "../../src/nix/gc-roots.ts";
import type { BuildEvent } from "../../src/protocol/events.ts";
import { isTerminal } from "../../src/protocol/events.ts";
import { parseCommit, type BuildId } from "../../src/protocol/names.ts";
import type { BuildResult, HostResult } from "../../src/protocol/results.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { createEvaluationMemory, firstCommit, startRig, type BuilderRig } from "./builder-rig.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { createFakeNix, type FakeHost, type FakeNix } from "./fake-nix.ts";

/** From 0 to 1, always the same from the same seed (mulberry32). */
export type Random = () => number;

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface SimulatedBuild {
  readonly id: BuildId;
  readonly events: readonly BuildEvent[];
  readonly cancelled: boolean;
  /** What is kept of it when it is over. */
  readonly row: BuildResult | undefined;
}

export interface SimulatedLife {
  readonly builds: readonly SimulatedBuild[];
  /** How each host behaves, whichever build wants it. */
  readonly hosts: ReadonlyMap<string, FakeHost>;
  readonly hostRows: readonly HostResult[];
  readonly minutes: number;
}

const minute = 60_000;
/** So long NATS fails, builders are killed, and requests come. */
const troubleMs = 20 * minute;
/** A build that has no end so long after that has none. */
const patienceMs = 180 * minute;
const stepMs = 5000;
const ackWaitMs = minute;
/** Longer than an answer of NATS may take. */
const stopPatienceMs = 2 * minute;

const never = new AbortController().signal;
const hostKinds: readonly FakeHost[] = [
  {},
  {},
  { build: "present" },
  { build: "fail" },
  { build: "fail-shared" },
  { build: "infra" },
  { build: "infra-always" },
  { evaluation: "throw" },
  { evaluation: "crash" },
  { evaluation: "time-out" },
  { evaluation: "infra" },
  { system: "aarch64-linux" },
];

/** @throws Error when a build does not end. */
export async function simulateLab(seed: number): Promise<SimulatedLife> {
  const random = createRandom(seed);
  const chance = (probability: number): boolean => random() < probability;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const clock = createFakeClock();
  const server = createMemoryBus(clock);
  const isTrouble = (): boolean => clock.monotonic() < troubleMs;

  const repos = Object.fromEntries(
    ["one", "two"].map((repo) => [
      repo,
      Object.fromEntries(
        Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) => [`${repo}-${i}`, pick(hostKinds)]),
      ),
    ]),
  );
  const hosts = new Map(Object.values(repos).flatMap((known) => Object.entries(known)));
  const nix = createFakeNix(hosts);
  const memory = createEvaluationMemory();
  // What goes on forever in this life, beside the trouble of its first minutes.
  const weather = {
    logs: chance(0.2) ? 1 : chance(0.3) ? 0.2 : 0,
    remoteOfTwo: pick(["answers", "answers", "hangs", "fails"] as const),
    refusedEvent: chance(0.15)
      ? pick(["building", "evaluated", "hosts-finished", "accepted"] as const)
      : undefined,
    nix: chance(0.3) ? 0.1 : 0,
    bus: chance(0.5) ? 0.05 : 0,
    killsAtAppend: chance(0.5) ? 0.1 : 0,
  };

  interface Simulated {
    readonly rig: BuilderRig;
    kill(): void;
  }
  const builders = new Map<string, Simulated>();

  async function start(name: string, configured: typeof repos): Promise<void> {
    const taken = new Set<Delivery>();
    let isDead = false;
    let builder: Simulated | undefined;
    function kill(): void {
      if (isDead) return;
      isDead = true;
      builders.delete(name);
      void builder?.rig.stop().catch(() => undefined);
    }
    const bus = faultyBus({
      server,
      clock,
      taken,
      isDead: () => isDead,
      die: () => isTrouble() && chance(weather.killsAtAppend) && kill(),
      fails: () => isTrouble() && chance(weather.bus),
      delayMs: () => (isTrouble() && chance(0.1) ? random() * 30_000 : 0),
      refusesLog: () => chance(weather.logs),
      refuses: (event) => event.type === weather.refusedEvent,
    });
    const faulty = faultyNix(nix, clock, () => chance(weather.nix));
    const rig = await startRig({
      name,
      bus,
      nix: faulty,
      memory: chance(0.7) ? memory : createEvaluationMemory(),
      repos: configured,
      batchSize: 2,
      mirrors: { two: mirrorOf("two", weather.remoteOfTwo) },
      overrides: {
        clock,
        gcRoots: faultyRoots(faulty.gcRoots, () => chance(weather.nix)),
        lockedInputs,
        requestExpiryMs: 24 * 60 * minute,
        stopMs: 1000,
        diskSpace: async () => {
          if (chance(weather.nix)) throw new Error("statfs failed");
          return { availableBytes: 2 ** 40, totalBytes: 2 ** 40 };
        },
      },
    });
    builder = { rig, kill };
    if (isDead) void rig.stop().catch(() => undefined);
    else builders.set(name, builder);
  }

  /** SIGTERM: it has to be gone soon. */
  async function stop(name: string): Promise<void> {
    const left = new Set([builders.get(name)?.rig.stop()]);
    for (const stopping of left) void stopping?.finally(() => left.clear());
    builders.delete(name);
    const deadline = clock.monotonic() + stopPatienceMs;
    while (left.size > 0) {
      await clock.advance(1000);
      if (clock.monotonic() > deadline) throw new Error(`seed ${seed}: a builder does not stop`);
    }
  }

  const ids: BuildId[] = [];
  const cancelled = new Set<BuildId>();
  async function ask(): Promise<void> {
    const id = newBuildId(clock.now());
    ids.push(id);
    const host = pick([...hosts.keys()]);
    const target = pick([
      { repo: "any", host: "all" },
      { repo: "one", host: "all" },
      { repo: "two", host: "all" },
      { repo: host.slice(0, 3), host },
      { repo: "any", host },
    ]) as Parameters<BuilderBus["submit"]>[0];
    await server.submit(target, { id, priority: pick(["interactive", "batch"] as const) }, never);
  }

  await start("a", repos);
  if (chance(0.5)) await start("b", chance(0.7) ? repos : { one: repos["one"] ?? {} });
  await ask();
  while (isTrouble()) {
    await clock.advance(stepMs * (1 + Math.floor(random() * 12)));
    if (ids.length < 4 && chance(0.2)) await ask();
    if (chance(0.05)) {
      const id = pick(ids);
      cancelled.add(id);
      await server.control(id, { action: "cancel" }, never);
    }
    if (chance(0.08)) builders.get(pick(["a", "b"]))?.kill();
    if (chance(0.04)) {
      const [name] = [...builders.keys()];
      if (name !== undefined) await stop(name);
    }
    if (!builders.has("a") && chance(0.5)) await start("a", repos);
    // Everything of this life is over, and nothing more happens to it.
    if (ids.length === 4 && (await areOver(server, ids))) break;
  }
  if (builders.size === 0) await start("a", repos);

  const until = clock.monotonic() + patienceMs;
  while (!(await areOver(server, ids))) {
    if (clock.monotonic() > until) throw await endless(server, ids, seed, weather);
    await clock.advance(stepMs * 4);
  }
  const minutes = clock.monotonic() / minute;
  // Rows come after the last event, and after a crash when they are looked for next.
  if (builders.size === 0) await start("a", repos);
  for (let step = 0; step < 13; step++) await clock.advance(minute);
  const rows = await Promise.all(ids.map((id) => server.results.build(id, never)));
  const hostRows = await server.results.hosts(never);
  for (const name of builders.keys()) await stop(name);
  const builds = await Promise.all(
    ids.map(async (id, place) => ({
      id,
      row: rows[place],
      events: await server.readEvents(id, 0, never),
      cancelled: cancelled.has(id),
    })),
  );
  return { builds, hosts, hostRows, minutes };
}

async function areOver(server: BuilderBus, ids: readonly BuildId[]): Promise<boolean> {
  for (const id of ids) {
    const last = await server.lastEvent(id, never);
    if (last === undefined || !isTerminal(last)) return false;
  }
  return true;
}

async function endless(
  server: BuilderBus,
  ids: readonly BuildId[],
  seed: number,
  weather: object,
): Promise<Error> {
  const logs = await Promise.all(
    ids.map(async (id) => {
      const events = await server.readEvents(id, 0, never);
      return `${id}: ${events.length} events … ${events
        .slice(-12)
        .map(({ epoch, type }) => `${epoch}:${type}`)
        .join(" ")}`;
    }),
  );
  return new Error(`seed ${seed}: a build does not end\n${JSON.stringify(weather)}\n${logs.join("\n")}`);
}

interface BusFaults {
  readonly server: BuilderBus;
  readonly clock: FakeClock;
  /** Deliveries that the builder has and has neither acknowledged nor handed back. */
  readonly taken: Set<Delivery>;
  readonly isDead: () => boolean;
  /** Perhaps the process ends here. */
  readonly die: () => void;
  readonly fails: () => boolean;
  readonly delayMs: () => number;
  readonly refusesLog: () => boolean;
  /** For good: NATS would say that the message is too large, or not allowed. */
  readonly refuses: (event: BuildEvent) => boolean;
}

function faultyBus(faults: BusFaults): BuilderBus {
  const { server, clock, taken, isDead, die, fails, delayMs } = faults;
  async function through<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const delay = delayMs();
    if (delay > 0) await clock.sleep(delay, signal);
    if (isDead()) throw new Error("this builder was killed");
    if (fails())
      throw new HomelabError("unavailable", "NATS did not answer in time", { code: "NATS_TIMEOUT" });
    return call();
  }
  async function take(next: BuilderBus["nextControl"], signal: AbortSignal): Promise<Delivery | undefined> {
    const delivery = await through(() => next(signal), signal);
    if (delivery === undefined) return undefined;
    let lastSign = clock.monotonic();
    const held: Delivery = {
      ...delivery,
      working() {
        if (!isDead()) lastSign = clock.monotonic();
      },
      async ack(until) {
        await through(() => delivery.ack(until), until);
        taken.delete(held);
      },
      handBack(delay) {
        if (!isDead() && taken.delete(held)) delivery.handBack(delay);
      },
    };
    taken.add(held);
    /** Who shows no sign of life loses it. */
    const watch = async () => {
      while (taken.has(held)) {
        await clock.sleep(ackWaitMs);
        if (clock.monotonic() - lastSign >= ackWaitMs && taken.delete(held)) delivery.handBack(0);
      }
    };
    void watch();
    return held;
  }
  return {
    ...server,
    nextRequest: (signal, options) => take((until) => server.nextRequest(until, options), signal),
    async openBacklog(signal) {
      const backlog = await through(() => server.openBacklog(signal), signal);
      return (
        backlog && {
          add: (delivery, target, until) => through(() => backlog.add(delivery, target, until), until),
          next: (until, options) => take((waiting) => backlog.next(waiting, options), until),
        }
      );
    },
    nextControl: (signal) => take(server.nextControl, signal),
    readEvents: (id, from, signal) => through(() => server.readEvents(id, from, signal), signal),
    lastEvent: (id, signal) => through(() => server.lastEvent(id, signal), signal),
    listBuilds: (signal) => through(() => server.listBuilds(signal), signal),
    listBuilders: (signal) => through(() => server.listBuilders(signal), signal),
    results: {
      builds: (signal) => through(() => server.results.builds(signal), signal),
      build: (id, signal) => through(() => server.results.build(id, signal), signal),
      hosts: (signal) => through(() => server.results.hosts(signal), signal),
      putBuild: (result, signal) => through(() => server.results.putBuild(result, signal), signal),
      putHost: (result, signal) => through(() => server.results.putHost(result, signal), signal),
      told: (repo, signal) => through(() => server.results.told(repo, signal), signal),
      putTold: (told, sequence, signal) =>
        through(() => server.results.putTold(told, sequence, signal), signal),
    },
    putStatus: (status, signal) => through(() => server.putStatus(status, signal), signal),
    appendLog: (chunk, signal) =>
      through(async () => {
        if (faults.refusesLog())
          throw new HomelabError("usage", "cannot store a log: the message is too large");
        await server.appendLog(chunk, signal);
      }, signal),
    async openEventLog(id, history, signal) {
      const writer = await through(() => server.openEventLog(id, history, signal), signal);
      return {
        async append(event, until) {
          // An append that NATS does not answer is tried until it does: only its own end keeps a builder from it.
          const delay = delayMs();
          if (delay > 0) await clock.sleep(delay, until);
          die();
          if (isDead()) throw new Error("this builder was killed");
          if (faults.refuses(event)) throw new HomelabError("usage", "the message is too large");
          await writer.append(event, until);
          die();
          if (isDead()) throw new Error("this builder was killed");
        },
      };
    },
  };
}

function faultyNix(nix: FakeNix, clock: FakeClock, fails: () => boolean): FakeNix {
  const perhaps =
    <Args extends readonly unknown[], T>(call: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      // It takes its time, and has a limit of its own.
      await clock.sleep(500);
      if (fails()) throw new Error("the Nix daemon is gone");
      return call(...args);
    };
  const faults: Partial<FakeNix> = {
    async *evaluate(...args) {
      for await (const event of nix.evaluate(...args)) {
        await clock.sleep(event.type === "begun" ? 0 : 500);
        if (fails()) throw new Error("the Nix daemon is gone");
        yield event;
      }
    },
    realise: perhaps(nix.realise),
    validPaths: perhaps(nix.validPaths),
    findFailures: perhaps(nix.findFailures),
    readLog: perhaps(nix.readLog),
    unbuilt: perhaps(nix.unbuilt),
    probeSubstituters: perhaps(nix.probeSubstituters),
  };
  return { ...nix, ...faults };
}

const faultyRoots = (roots: GcRoots, fails: () => boolean): GcRoots => ({
  ...roots,
  async protect(protectedRoots, signal) {
    if (fails()) throw new Error("the disk is full");
    await roots.protect(protectedRoots, signal);
  },
});

function mirrorOf(repo: string, remote: "answers" | "hangs" | "fails"): Mirror {
  async function reach(signal: AbortSignal): Promise<void> {
    if (remote === "fails") throw new HomelabError("unavailable", "cannot read it", { code: "GIT_REMOTE" });
    if (remote === "answers") return;
    await new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
    );
  }
  return {
    path: `/mirrors/${repo}`,
    async resolveBranch(_, signal) {
      await reach(signal);
      return parseCommit(firstCommit);
    },
    ensureCommit: (_, signal) => reach(signal),
    readFile: async () => undefined,
  };
}
