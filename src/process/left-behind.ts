// What a homelab-deploy that was killed left running. It holds locks and builds what nobody waits for, beside the
// processes that do the same work again.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { hasEnded, ownerIn, readOwnIdentity, type Owner } from "./owner.ts";
import {
  buildsIn,
  findFamily,
  processKey,
  type ProcessEntry,
  readEnvironment,
  readProcess,
  readProcessTable,
} from "./process-table.ts";

/** Nix ends its builders cleanly when it is asked to. */
const defaultGraceMs = 15_000;
/** One that waits for a disk cannot be killed at once. */
const goneWithinMs = 5_000;
const lookEveryMs = 100;

export interface LeftBehindOptions {
  /** As for `ownerEnvironment`. */
  readonly stateDirectory: string;
  /** Directories of owners that have ended: what is built in them was left behind as well. */
  readonly abandonedDirectories: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** Between SIGTERM and SIGKILL. Default 15,000. */
  readonly graceMs?: number;
}

/** Not 0: that is the session of all whose session is outside of this PID namespace. */
const noSession = -1;

/** What is known about a process besides its entry in the table. */
export interface Traces {
  /** The owner in its environment, of this state directory. */
  readonly ownerOf: (entry: ProcessEntry) => Owner | undefined;
  readonly buildsInAbandoned: (entry: ProcessEntry) => boolean;
  /** `processKey` of those found before: their parents may be gone since. */
  readonly known: ReadonlySet<string>;
}

export interface LeftBehind {
  readonly processes: readonly ProcessEntry[];
  /** Processes that the owner itself started, and that end what they started. */
  readonly tops: readonly ProcessEntry[];
}

/**
 * Everything that an owner which has ended started, with all descendants. Neither this process nor what it stems from
 * is ever among them, whatever their environment says.
 */
export function findLeftBehind(all: readonly ProcessEntry[], own: Owner, traces: Traces): LeftBehind {
  const spared = lineOf(all, own.pid);
  const table = all.filter(({ pid }) => !spared.has(pid));
  const isLeft = (entry: ProcessEntry): boolean => {
    const owner = traces.ownerOf(entry);
    return owner !== undefined && hasEnded(owner, own, all);
  };
  const marked = table.filter(isLeft);
  const seeds = [...marked, ...table.filter(traces.buildsInAbandoned)];
  const known = new Set([...traces.known, ...seeds.map(processKey)]);
  const sessions = marked.filter(({ pid, session }) => pid === session).map(({ session }) => session);
  const processes = new Set([noSession, ...sessions].flatMap((session) => findFamily(table, session, known)));
  const pids = new Set([...processes].map(({ pid }) => pid));
  return { processes: [...processes], tops: marked.filter(({ parent }) => !pids.has(parent)) };
}

/** A process, its parent, and so on. */
function lineOf(table: readonly ProcessEntry[], pid: number): ReadonlySet<number> {
  const parents = new Map(table.map((entry) => [entry.pid, entry.parent]));
  const line = new Set<number>();
  for (let at: number | undefined = pid; at !== undefined && !line.has(at); at = parents.get(at))
    line.add(at);
  return line;
}

/** Ends what was left behind and waits until it is gone: SIGTERM, a grace, SIGKILL. Bounded in time. */
export async function endLeftBehind(
  { stateDirectory, abandonedDirectories, clock, log, graceMs = defaultGraceMs }: LeftBehindOptions,
  signal: AbortSignal,
): Promise<void> {
  const own = readOwnIdentity();
  if (own === undefined) return;
  const known = new Set<string>();
  const look = (): LeftBehind => {
    const found = findLeftBehind(readProcessTable(), own, {
      ownerOf: (entry) => endedOwnerOf(entry, stateDirectory),
      buildsInAbandoned: ({ pid }) => abandonedDirectories.some((directory) => buildsIn(pid, directory)),
      known,
    });
    for (const entry of found.processes) known.add(processKey(entry));
    return found;
  };
  async function until(
    isOver: (left: LeftBehind) => boolean,
    withinMs: number,
    act: (left: LeftBehind) => void,
  ) {
    const deadline = clock.monotonic() + withinMs;
    let left = look();
    while (!isOver(left) && clock.monotonic() < deadline) {
      act(left);
      await clock.sleep(lookEveryMs, signal);
      left = look();
    }
    return left;
  }

  const pids = look().processes.map(({ pid }) => pid);
  if (pids.length === 0) return;
  log.warn({ pids }, "ending programs that a killed run left behind");
  const told = new Set<string>();
  await until(
    ({ tops }) => tops.length === 0,
    graceMs,
    ({ tops }) => {
      for (const top of tops) {
        if (!told.has(processKey(top))) send(top.pid, "SIGTERM");
        told.add(processKey(top));
      }
    },
  );
  const { processes } = await until(
    (left) => left.processes.length === 0,
    goneWithinMs,
    (left) => left.processes.forEach(({ pid }) => send(pid, "SIGKILL")),
  );
  if (processes.length > 0) {
    const stuck = processes.map(({ pid }) => pid);
    log.error({ pids: stuck }, "programs that a killed run left behind do not end");
  }
}

/**
 * The table is not of one moment: processes begin and end, and pids change hands, while it is read. So both are looked
 * at again, after the environment was read.
 */
function endedOwnerOf(entry: ProcessEntry, stateDirectory: string): Owner | undefined {
  const owner = ownerIn(readEnvironment(entry.pid), stateDirectory);
  if (owner === undefined || !isRunning(entry) || isRunning(owner)) return undefined;
  return owner;
}

const isRunning = ({ pid, startTime }: Pick<ProcessEntry, "pid" | "startTime">): boolean =>
  readProcess(pid)?.startTime === startTime;

function send(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone by now, or of another user: either way not ours to end.
  }
}
