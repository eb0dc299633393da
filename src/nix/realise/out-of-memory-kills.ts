import { readFile } from "node:fs/promises";

/** Processes that the kernel killed for lack of memory since it started (Linux 4.13 and newer; 0 where it does not say). */
export async function countOutOfMemoryKills(): Promise<number> {
  const counters = await readFile("/proc/vmstat", "utf8").catch(() => "");
  return Number(/^oom_kill (?<count>\d+)$/m.exec(counters)?.groups?.["count"] ?? 0);
}
