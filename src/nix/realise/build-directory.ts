// Where Nix builds, for one call of it.
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../../base/files/make-directory.ts";
import { isAtLeast } from "../../base/version.ts";
import { hasEnded, ownerName, parseOwnerName, readOwnIdentity } from "../../process/owner.ts";
import { readProcessTable } from "../../process/process-table.ts";

/**
 * Since 2.30 Nix builds below its state directory unless `build-dir` says otherwise; before it goes by TMPDIR. Only
 * a Nix that opens its store itself may be told: the daemon's builders belong to others, and the daemon cleans up
 * behind them.
 */
export const buildDirectoryFlags = (version: string, directory: string): readonly string[] =>
  isAtLeast(version, "2.30") ? ["--option", "build-dir", directory] : [];

/**
 * Makes a directory for one call, and removes those that processes left which were killed. Others may pass through
 * but not look: the builders of a Nix with build users are not we.
 */
export async function makeBuildDirectory(parent: string): Promise<string> {
  await makeDirectory(parent, { mode: 0o711 });
  for (const abandoned of await findAbandonedDirectories(parent)) await removeBuildDirectory(abandoned);
  const own = readOwnIdentity();
  const name = own === undefined ? `${process.pid}` : ownerName(own);
  const directory = await mkdtemp(join(parent, `build-${name}-`));
  await chmod(directory, 0o711);
  return directory;
}

/** The directories of processes that have ended without removing them; none where there are no directories yet. */
export async function findAbandonedDirectories(parent: string): Promise<readonly string[]> {
  const names = await readdir(parent).catch(() => []);
  if (names.length === 0) return [];
  const own = readOwnIdentity();
  const table = readProcessTable();
  const isAbandoned = (name: string): boolean => {
    const owner = parseOwnerName(/^build-(?<owner>\d+-\d+-\d+)-/.exec(name)?.groups?.["owner"] ?? "");
    return owner !== undefined && own !== undefined && hasEnded(owner, own, table);
  };
  return names.filter(isAbandoned).map((name) => join(parent, name));
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
