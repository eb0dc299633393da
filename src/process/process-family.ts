import { realpathSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import {
  findFamily,
  processKey,
  type ProcessEntry,
  programName,
  readProcess,
  readProcessTable,
  worksIn,
} from "./process-table.ts";

/** How long killed processes may take to be gone: one that waits for a disk cannot be killed at once. */
const goneWithinMs = 5_000;
const lookEveryMs = 50;
/** How often in a row we look again for new processes that are `silent`: see `worksIn`. */
const looksAtSilent = 10;

/**
 * A program with everything that it started, also what left its session or lost its parents, as far as it was
 * seen before that or works in the program's own directory.
 */
export interface ProcessFamily {
  /** Finds members and remembers them; call it while parents still live, they are how children are found. */
  look(): readonly ProcessEntry[];
  /** Kills members until none is left, for a bounded time. */
  killAll(): Promise<void>;
}

/** @param leader the pid of a program that was started as the leader of its own session */
export function createProcessFamily(
  leader: number,
  ownedDirectory: string | undefined,
  clock: Clock,
): ProcessFamily {
  const known = new Set<string>();
  const owned = ownedDirectory === undefined ? undefined : realDirectory(ownedDirectory);
  const leaderStart = Number(readProcess(leader)?.startTime ?? 0);
  let sawSilent = false;

  function look(): readonly ProcessEntry[] {
    const table = readProcessTable().filter(({ pid }) => pid !== process.pid);
    sawSilent = false;
    if (owned !== undefined) {
      const isAdopter = adoptersIn(table, known);
      for (const entry of table) {
        // Another program of ours has a family of its own.
        if (entry.parent === process.pid || !isAdopter(entry.parent)) continue;
        const works = worksIn(entry.pid, owned);
        if (works === "yes") known.add(processKey(entry));
        else if (works === "silent" && Number(entry.startTime) >= leaderStart) sawSilent = true;
      }
    }
    const family = findFamily(table, leader, known);
    for (const entry of family) known.add(processKey(entry));
    return family;
  }

  return {
    look,
    async killAll() {
      const deadline = clock.monotonic() + goneWithinMs;
      let looks = 0;
      while (clock.monotonic() < deadline) {
        const left = look();
        for (const { pid } of left) kill(pid);
        looks = left.length > 0 ? 0 : looks + 1;
        if (left.length === 0 && (!sawSilent || looks >= looksAtSilent)) return;
        await clock.sleep(lookEveryMs);
      }
    },
  };
}

/**
 * Which parents do not speak for their children. A process whose parent lives belongs to that parent: a shell of an
 * administrator who looks into a build, for example. What lost its parent was adopted by the first process, or by the service
 * manager of a user.
 */
function adoptersIn(table: readonly ProcessEntry[], known: ReadonlySet<string>): (parent: number) => boolean {
  const entries = new Map(table.map((entry) => [entry.pid, entry]));
  // There are many processes, and few parents whose names have to be read.
  const answers = new Map<number, boolean>();
  return (parent) => {
    const living = entries.get(parent);
    const answer =
      answers.get(parent) ??
      (parent <= 1 ||
        living === undefined ||
        known.has(processKey(living)) ||
        programName(parent) === "systemd");
    answers.set(parent, answer);
    return answer;
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone by now, or of another user: either way not ours to end.
  }
}

function realDirectory(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
