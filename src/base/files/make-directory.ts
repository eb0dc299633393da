import { mkdir, mkdtemp, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "../errors.ts";

/**
 * Makes a directory and those above it that are missing. Node's own `recursive` tries for ever where a file system has
 * the parent and says that it is not there, as /proc does, and keeps the process from its signals meanwhile (seen with
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
 * Proves that this user can write in a directory, or make it where it is missing, and leaves nothing behind. What
 * `access` says is no proof: root may write to /proc, and nothing can be made there.
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

/** Somebody else may have made it meanwhile. */
async function requireDirectory(path: string, error: unknown): Promise<void> {
  if (!(await isDirectory(path))) throw error;
}

const isDirectory = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
