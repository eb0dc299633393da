import { realpathSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { findFamily, processKey, type ProcessEntry, readProcessTable, worksIn } from "./process-table.ts";

/** How long killed processes may take to be gone: one that waits for a disk cannot be killed at once. */
const goneWithinMs = 5_000;
const lookEveryMs = 50;

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

  function look(): readonly ProcessEntry[] {
    const table = readProcessTable().filter(({ pid }) => pid !== process.pid);
    if (owned !== undefined) {
      for (const entry of table) if (worksIn(entry.pid, owned)) known.add(processKey(entry));
    }
    const family = findFamily(table, leader, known);
    for (const entry of family) known.add(processKey(entry));
    return family;
  }

  return {
    look,
    async killAll() {
      const deadline = clock.monotonic() + goneWithinMs;
      for (let left = look(); left.length > 0 && clock.monotonic() < deadline; left = look()) {
        for (const { pid } of left) kill(pid);
        await clock.sleep(lookEveryMs);
      }
    },
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
