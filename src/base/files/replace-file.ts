import { randomUUID } from "node:crypto";
import { open, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory } from "./make-directory.ts";

export interface ReplaceOptions {
  /** Permission bits. By default only our user may read and write it. */
  readonly mode?: number;
  /** Whether it must be on the disk when this resolves: for what is relied on after the machine has crashed. */
  readonly flush?: boolean;
}

/**
 * Writes a file in one step: whoever reads it, and whoever finds it after a crash, sees all of the old content or all
 * of the new. A directory that is missing is made, for our user only.
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  { mode = 0o600, flush = false }: ReplaceOptions = {},
): Promise<void> {
  const directory = dirname(file);
  await makeDirectory(directory, { mode: 0o700 });
  // A name of its own, because another process may be writing the same file.
  const fresh = `${file}.${randomUUID()}`;
  try {
    await writeFile(fresh, content, { mode, flush });
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
  if (flush) await flushDirectory(directory);
}

/** Flushing a file does not flush its name (fsync(2)). */
async function flushDirectory(directory: string): Promise<void> {
  await using handle = await open(directory);
  await handle.sync();
}
