import { mkdir, mkdtemp, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "../errors.ts";

/**
 * Makes a directory and those above it that are missing. Node's own `recursive` retries forever if a file system has
 * the parent and reports that it does not exist, as /proc does, and blocks signals meanwhile (seen with
 * Node 20 to 24: MKDirpSync in src/node_file.cc).
 *
 * @throws the operating system's error
 */
export async function makeDirectory(path: string, options: { readonly mode?: number } = {}): Promise<void> {
  try {
    await mkdir(path, options);
  } catch (error) {
    if (!hasCode(error, "ENOENT") || dirname(path) === path) return requireDirectory(path, error);
    if (!(await isDirectory(dirname(path)))) await makeDirectory(dirname(path), options);
    await mkdir(path, options).catch(async (again: unknown) => requireDirectory(path, again));
  }
}

/**
 * Proves that this user can write in a directory, or create it if it is missing, and leaves nothing behind.
 * `access` proves nothing: root may write to /proc, and nothing can be created there.
 *
 * @throws the operating system's error
 */
export async function probeDirectory(path: string): Promise<"there" | "missing"> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await rmdir(await mkdtemp(join(at, ".homelab-deploy-")));
      return at === path ? "there" : "missing";
    } catch (error) {
      const isMissing = hasCode(error, "ENOENT") && !(await isDirectory(at));
      if (!isMissing || dirname(at) === at) throw error;
    }
  }
}

/**
 * Proves that a directory takes so many bytes. A directory can be made in a file system without room for a file.
 *
 * @throws the operating system's error
 */
export async function probeRoom(path: string, bytes: number): Promise<void> {
  const directory = await mkdtemp(join(path, ".homelab-deploy-"));
  try {
    await writeFile(join(directory, "room"), new Uint8Array(bytes), { flush: true });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Somebody else may have made it meanwhile. */
async function requireDirectory(path: string, error: unknown): Promise<void> {
  if (!(await isDirectory(path))) throw error;
}

const isDirectory = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
