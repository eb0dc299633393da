// What a live view of one build shows between events. Changes are marked as they come; at most every 100 ms they
// become one message.
import type { Clock } from "../../base/clock.ts";
import { createDoorbell } from "../../base/doorbell.ts";
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

export function createProgressBoard(
  build: BuildId,
  publish: (progress: BuildProgress) => void,
  clock: Clock,
): ProgressBoard {
  const doorbell = createDoorbell();
  const running = new Map<StorePath, Omit<RunningDerivation, "elapsedMs"> & { since: number }>();
  const changedHosts = new Map<FullHostName, HostProgress>();
  let note: string | undefined;
  let waiting: string | undefined;
  let evaluations: (() => NonNullable<BuildProgress["evaluations"]>) | undefined;
  const counts = createDerivationCounts();
  const fetches = new Map<object, NonNullable<BuildProgress["fetches"]>>();

  function current(): BuildProgress {
    const now = clock.monotonic();
    const hosts = changedHosts.values().take(shownHosts).toArray();
    for (const host of hosts) changedHosts.delete(fullName(host));
    return {
      build,
      note: note ?? waiting,
      evaluations: evaluations?.(),
      builds: counts.read(running.keys()),
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
      doorbell.ring();
    },
    waiting(reason) {
      if (reason === undefined && waiting === undefined) return;
      waiting = reason?.slice(0, 1000);
      doorbell.ring();
    },
    evaluations(read) {
      note = undefined;
      evaluations = read;
      doorbell.ring();
    },
    toBuild(drvPaths) {
      counts.toBuild(drvPaths);
      doorbell.ring();
    },
    fetches(process, fetched) {
      fetches.set(process, fetched);
      doorbell.ring();
    },
    host(progress) {
      changedHosts.set(fullName(progress), progress);
      doorbell.ring();
    },
    started(drvPath, derivation) {
      running.set(drvPath, { ...derivation, since: clock.monotonic() });
      doorbell.ring();
    },
    phase(drvPath, phase) {
      const derivation = running.get(drvPath);
      if (derivation === undefined) return;
      derivation.phase = phase;
      doorbell.ring();
    },
    stopped(drvPath, outcome) {
      if (outcome !== undefined) counts.ended(drvPath, outcome);
      if (running.delete(drvPath) || outcome !== undefined) doorbell.ring();
    },
    async run(signal) {
      for (;;) {
        await doorbell.wait(signal);
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
