// Clocks and counters: wall time, CPU time of processes with their descendants, memory (Linux: proc(5)).
import { readdir, readFile } from "node:fs/promises";

/** Linux counts CPU time for user space in hundredths of a second on every architecture (USER_HZ). */
const ticksPerSecond = 100;

export interface CpuTime {
  /** Seconds of the process itself, in user and kernel mode. */
  readonly own: number;
  /** Of the descendants that ended and were waited for. */
  readonly descendants: number;
}

export async function readCpuTime(pid: number | "self"): Promise<CpuTime> {
  return parseCpuTime(await readFile(`/proc/${pid}/stat`, "utf8"));
}

/** @param stat of a process, as /proc has it */
export function parseCpuTime(stat: string): CpuTime {
  // The name, in parentheses, may hold spaces; utime is field 14 and the state behind the name is field 3.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = Number.NaN, kernel = Number.NaN, childrenUser = Number.NaN, childrenKernel = Number.NaN] =
    fields.slice(11, 15).map(Number);
  return {
    own: (user + kernel) / ticksPerSecond,
    descendants: (childrenUser + childrenKernel) / ticksPerSecond,
  };
}

/** Seconds that the threads of a process have run so far, to the nanosecond; those that have ended are missing. */
export async function readThreadTime(pid: number): Promise<number> {
  const directory = `/proc/${pid}/task`;
  const stats = (await readdir(directory)).map(async (thread) =>
    readFile(`${directory}/${thread}/schedstat`, "utf8").catch(() => "0"),
  );
  return (await Promise.all(stats)).reduce((sum, stat) => sum + Number(stat.split(" ", 1)[0]), 0) / 1e9;
}

/** Bytes of memory that the process holds now. */
export async function readResidentBytes(pid: number): Promise<number> {
  const bytes = parseResidentBytes(await readFile(`/proc/${pid}/status`, "utf8"));
  if (bytes === undefined) throw new Error(`process ${pid} has no memory any more`);
  return bytes;
}

/** @param status of a process, as /proc has it */
export function parseResidentBytes(status: string): number | undefined {
  const kibibytes = /^VmRSS:\s+(?<amount>\d+) kB$/m.exec(status)?.groups?.["amount"];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

export interface Cost {
  readonly wallSeconds: number;
  /** Of the programs that this process ran meanwhile, with their descendants. */
  readonly cpuSeconds: number;
}

/** What some work costs that runs programs and waits for them. */
export async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const before = await readCpuTime("self");
  const started = performance.now();
  await work();
  const wallSeconds = (performance.now() - started) / 1000;
  return { wallSeconds, cpuSeconds: (await readCpuTime("self")).descendants - before.descendants };
}

/** The value below which that share of the values lies: 0.5 for the median. */
export function quantile(values: readonly number[], share: number): number {
  const value = values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)];
  if (value === undefined) throw new Error("nothing was measured");
  return value;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Medians of both. */
export const medianCost = (costs: readonly Cost[]): Cost => ({
  wallSeconds: median(costs.map((cost) => cost.wallSeconds)),
  cpuSeconds: median(costs.map((cost) => cost.cpuSeconds)),
});
