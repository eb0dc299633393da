// A temporary directory, and the end of everything that lives in it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, readlink, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface LeftProcess {
  readonly pid: number;
  /** Its command line, joined with spaces. */
  readonly command: string;
}

export interface Scratch extends AsyncDisposable {
  readonly directory: string;
  /** The processes that name the directory in their arguments, environment or working directory (Linux only). */
  readonly processes: () => Promise<readonly LeftProcess[]>;
}

/** Makes a directory under $TMPDIR. Disposing ends every process that lives in it, then removes it. */
export async function createScratch(prefix: string): Promise<Scratch> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), prefix)));
  return {
    directory,
    processes: () => processesIn(directory),
    async [Symbol.asyncDispose]() {
      await endAll(directory);
      await makeWritable(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function processesIn(directory: string): Promise<readonly LeftProcess[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => inspect(pid, directory)));
  return found.filter((each) => each !== undefined);
}

/** A process that is ours; undefined for others' processes and for those that ended meanwhile. */
async function inspect(pid: number, directory: string): Promise<LeftProcess | undefined> {
  if (pid === process.pid) return undefined;
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "");
  const [cmdline, environment, workingDirectory] = await Promise.all([
    read("cmdline"),
    read("environ"),
    readlink(`/proc/${pid}/cwd`).catch(() => ""),
  ]);
  if (![cmdline, environment, workingDirectory].some((text) => text.includes(directory))) return undefined;
  return { pid, command: cmdline.replaceAll("\0", " ").trim() };
}

/** SIGTERM, three seconds of grace, then SIGKILL, again and again: who is ending may still start another. */
async function endAll(directory: string): Promise<void> {
  const started = performance.now();
  for (;;) {
    const left = await processesIn(directory);
    const waited = performance.now() - started;
    if (left.length === 0) return;
    if (waited > 15_000) throw new Error(`cannot be ended: ${left.map(({ pid }) => pid).join(", ")}`);
    for (const { pid } of left) sendSignal(pid, waited < 3000 ? "SIGTERM" : "SIGKILL");
    await sleep(100);
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself meanwhile.
  }
}

/** A Nix store is read-only, which only root could remove as it is. */
async function makeWritable(directory: string): Promise<void> {
  await once(spawn("chmod", ["-R", "u+w", "--", directory], { stdio: "ignore" }), "close");
}
