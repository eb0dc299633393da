import { readFile } from "node:fs/promises";

/** Bytes of memory that a process holds now (VmRSS of proc(5)); undefined when it is gone. */
export async function readResidentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kibibytes = /^VmRSS:\s+(?<amount>\d+) kB$/m.exec(status)?.groups?.["amount"];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
