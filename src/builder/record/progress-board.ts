// What a live view of one build shows between events. Changes are marked as they come; at most every 100 ms they
// become one message.
import type { Clock } from "../../base/clock.ts";
import { createNotifier } from "../../base/notifier.ts";
import { decideTimeLeft } from "./time-left.ts";
import { createDerivationCounts } from "./derivation-counts.ts";
import { fullName, type BuildId, type FullHostName, type StorePath } from "../../protocol/names.ts";
import type { BuildProgress, HostProgress, RunningDerivation } from "../../protocol/progress.ts";

const progressIntervalMs = 100;
const shownRunning = 32;
const shownHosts = 200;

export interface ProgressBoard {
  note(text: string): void;
  /** What a build in a Nix process waits for; nothing when none does. */
  waiting(reason: string | undefined): void;
  /** How far evaluation is, read whenever a message is made: counting is work, and it changes with each host. */
  evaluations(read: () => NonNullable<BuildProgress["evaluations"]>): void;
  /** Derivations that are going to be built for this build; each counts once, however often it is named. */
  toBuild(drvPaths: Iterable<StorePath>): void;
  /** @param process that fetches: what several fetch is added up */
  fetches(process: object, counts: NonNullable<BuildProgress["fetches"]>): void;
  host(progress: HostProgress): void;
  started(drvPath: StorePath, derivation: Omit<RunningDerivation, "elapsedMs" | "phase">): void;
  phase(drvPath: StorePath, phase: string): void;
  /** Without an outcome its process ended before it did. */
  stopped(drvPath: StorePath, outcome?: "built" | "failed"): void;
  /** Publishes until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** The basis of the estimate of the remaining time. */
export interface BuildSpeed {
  /** How long it usually takes, in milliseconds. */
  usualMs(drvPath: StorePath): number | undefined;
  /** How many derivations are built at a time. */
  readonly slots: number;
}

const unknownSpeed: BuildSpeed = { usualMs: () => undefined, slots: 1 };

export function createProgressBoard(
  build: BuildId,
  publish: (progress: BuildProgress) => void,
  clock: Clock,
  speed: BuildSpeed = unknownSpeed,
): ProgressBoard {
  const notifier = createNotifier();
  const running = new Map<StorePath, Omit<RunningDerivation, "elapsedMs"> & { since: number }>();
  const changedHosts = new Map<FullHostName, HostProgress>();
  let note: string | undefined;
  let waiting: string | undefined;
  let evaluations: (() => NonNullable<BuildProgress["evaluations"]>) | undefined;
  const counts = createDerivationCounts();
  const fetches = new Map<object, NonNullable<BuildProgress["fetches"]>>();
  /** The usual times of derivations that are to be built and have not ended, as far as they are known. */
  const usual = new Map<StorePath, number>();
  const ended = new Set<StorePath>();

  /** Hosts that are not evaluated yet may need anything. */
  function leftMs(now: number, evaluated: BuildProgress["evaluations"]): number | undefined {
    if (evaluated !== undefined && evaluated.done < evaluated.total) return undefined;
    const still = usual.entries().filter(([drvPath]) => !running.has(drvPath));
    return decideTimeLeft(
      still.map(([, milliseconds]) => milliseconds),
      running.values().map(({ since, usualMs }) => ({ usualMs, elapsedMs: now - since })),
      speed.slots,
    );
  }

  function current(): BuildProgress {
    const now = clock.monotonic();
    const hosts = changedHosts.values().take(shownHosts).toArray();
    for (const host of hosts) changedHosts.delete(fullName(host));
    const evaluated = evaluations?.();
    const builds = counts.read(running.keys());
    return {
      build,
      note: note ?? waiting,
      evaluations: evaluated,
      builds: builds && { ...builds, leftMs: leftMs(now, evaluated) },
      fetches: sumOf(fetches.values()),
      running: running
        .values()
        .take(shownRunning)
        .map(({ since, ...shown }): RunningDerivation => ({ ...shown, elapsedMs: Math.round(now - since) }))
        .toArray(),
      hosts,
    };
  }

  return {
    note(text) {
      note = text.slice(0, 1000);
      notifier.notify();
    },
    waiting(reason) {
      if (reason === undefined && waiting === undefined) return;
      waiting = reason?.slice(0, 1000);
      notifier.notify();
    },
    evaluations(read) {
      note = undefined;
      evaluations = read;
      notifier.notify();
    },
    toBuild(drvPaths) {
      const all = [...drvPaths];
      counts.toBuild(all);
      for (const drvPath of all) {
        const milliseconds = ended.has(drvPath) ? undefined : speed.usualMs(drvPath);
        if (milliseconds !== undefined) usual.set(drvPath, milliseconds);
      }
      notifier.notify();
    },
    fetches(process, fetched) {
      fetches.set(process, fetched);
      notifier.notify();
    },
    host(progress) {
      changedHosts.set(fullName(progress), progress);
      notifier.notify();
    },
    started(drvPath, derivation) {
      running.set(drvPath, { ...derivation, since: clock.monotonic() });
      notifier.notify();
    },
    phase(drvPath, phase) {
      const derivation = running.get(drvPath);
      if (derivation === undefined) return;
      derivation.phase = phase;
      notifier.notify();
    },
    stopped(drvPath, outcome) {
      if (outcome !== undefined) {
        counts.ended(drvPath, outcome);
        ended.add(drvPath);
        usual.delete(drvPath);
      }
      if (running.delete(drvPath) || outcome !== undefined) notifier.notify();
    },
    async run(signal) {
      for (;;) {
        await notifier.wait(signal);
        publish(current());
        await clock.sleep(progressIntervalMs, signal);
      }
    },
  };
}

function sumOf(
  all: Iterable<NonNullable<BuildProgress["fetches"]>>,
): NonNullable<BuildProgress["fetches"]> | undefined {
  let sum: NonNullable<BuildProgress["fetches"]> | undefined;
  for (const { done, total } of all)
    sum = { done: (sum?.done ?? 0) + done, total: (sum?.total ?? 0) + total };
  return sum;
}
