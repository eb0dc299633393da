import { setTimeout as sleep } from "node:timers/promises";
import { readResidentBytes } from "../../src/process/resident-memory.ts";
import { readProcessTable } from "../../src/process/process-table.ts";

const lookEveryMs = 50;

/**
 * The most that these processes and their descendants held together while the work went on, in bytes. What processes share
 * counts for each of them.
 */
export async function mostMemory(
  pids: () => readonly number[],
  work: () => Promise<unknown>,
): Promise<number> {
  let most = 0;
  const over = new AbortController();
  async function watch(): Promise<void> {
    while (!over.signal.aborted) {
      most = Math.max(most, await heldBy(pids()));
      await sleep(lookEveryMs);
    }
  }
  const watching = watch();
  try {
    await work();
  } finally {
    over.abort();
    await watching;
  }
  return most;
}

async function heldBy(pids: readonly number[]): Promise<number> {
  const children = Map.groupBy(readProcessTable(), ({ parent }) => parent);
  const family = [...pids];
  // It grows while it is gone through.
  for (const pid of family) family.push(...(children.get(pid) ?? []).map((child) => child.pid));
  const held = await Promise.all(family.map(readResidentBytes));
  return held.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0);
}
