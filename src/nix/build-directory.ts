// Where Nix builds, for one call of it.
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Since 2.30 Nix builds below its state directory unless `build-dir` says otherwise; before it goes by TMPDIR. Only
 * a Nix that opens its store itself may be told: the daemon's builders belong to others, and the daemon cleans up
 * behind them.
 */
export function buildDirectoryFlags(version: string, directory: string): readonly string[] {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major > 2 || (major === 2 && minor >= 30) ? ["--option", "build-dir", directory] : [];
}

/**
 * Makes a directory for one call, and removes those that processes left which were killed. Others may pass through
 * but not look: the builders of a Nix with build users are not we.
 */
export async function makeBuildDirectory(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true, mode: 0o711 });
  for (const name of await readdir(parent)) {
    const pid = Number(/^realise-(?<pid>\d+)-/.exec(name)?.groups?.["pid"] ?? process.pid);
    if (!isRunning(pid)) await removeBuildDirectory(join(parent, name));
  }
  const directory = await mkdtemp(join(parent, `realise-${process.pid}-`));
  await chmod(directory, 0o711);
  return directory;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and belongs to somebody else.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

/** Builds leave directories that cannot be written. What resists stays: it must not change what the build gave. */
export async function removeBuildDirectory(directory: string): Promise<void> {
  await makeWritable(directory).catch(() => undefined);
  await rm(directory, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

async function makeWritable(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(directory, entry.name));
  }
}
