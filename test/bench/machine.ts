import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Of all cores, what others may use before the numbers are worth little. */
const quiet = 0.1;
const sampleMs = 1500;

export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown";
  const memory = Math.round(totalmem() / 1024 ** 3);
  return `${availableParallelism()} cores (${model}), ${memory} GiB, Linux, node ${process.versions.node}`;
}

/** Says how busy the machine is while we do nothing. */
export async function describeNoise(): Promise<string> {
  const share = await busyShare();
  const load = loadavg().map((value) => value.toFixed(2));
  const busy = `others use ${Math.round(share * 100)} % of its cores; load average ${load.join(" ")}`;
  return share <= quiet ? busy : `NOISY MACHINE: ${busy}; only the ratios mean something, and those not much`;
}

async function busyShare(): Promise<number> {
  const before = await readCpuTicks();
  await sleep(sampleMs);
  const after = await readCpuTicks();
  return (after.busy - before.busy) / Math.max(1, after.total - before.total);
}

/** The first line of /proc/stat (proc(5)): user nice system idle iowait irq softirq steal guest guest_nice. */
async function readCpuTicks(): Promise<{ readonly busy: number; readonly total: number }> {
  const [line = ""] = (await readFile("/proc/stat", "utf8")).split("\n");
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  const [idle = 0, waiting = 0] = ticks.slice(3, 5);
  return { busy: total - idle - waiting, total };
}
