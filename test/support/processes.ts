import { readdir, readFile } from "node:fs/promises";

/** Pids of processes with all of these texts in their command line or environment. */
export async function processesWith(...texts: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    try {
      const about = `${await readFile(`/proc/${pid}/cmdline`, "utf8")}\0${await readFile(`/proc/${pid}/environ`, "utf8")}`;
      if (Number(pid) !== process.pid && texts.every((text) => about.includes(text))) found.push(Number(pid));
    } catch {
      // it has ended, or is not ours to look at
    }
  }
  return found;
}
