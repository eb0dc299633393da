// Writes a directory atomically: next to its place, and renamed once it is complete.
import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { hasCode, HomelabError } from "../../base/errors.ts";
import { makeDirectory } from "../../base/files/make-directory.ts";

/**
 * @param fill gets a new directory that only this user can read
 * @throws HomelabError `usage` `FILE_EXISTS` when the place has something in it, before anything is written
 */
export async function writeDirectory(
  place: string,
  fill: (directory: string) => Promise<void>,
): Promise<void> {
  await requireFree(place);
  await makeDirectory(dirname(place));
  const partial = await mkdtemp(join(dirname(place), `.${basename(place)}-partial-`));
  try {
    await fill(partial);
    // Takes the place of an empty directory, and of nothing else.
    await rename(partial, place).catch((error: unknown) => {
      throw hasCode(error, "ENOTEMPTY") || hasCode(error, "EEXIST") || hasCode(error, "ENOTDIR")
        ? notFree(place)
        : error;
    });
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** @throws HomelabError `usage` `FILE_EXISTS` */
export async function requireFree(place: string): Promise<void> {
  const entries = await readdir(place).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return [];
    if (hasCode(error, "ENOTDIR")) throw notFree(place);
    throw error;
  });
  if (entries.length > 0) throw notFree(place);
}

const notFree = (place: string): HomelabError =>
  new HomelabError("usage", `${place} is there already, and is never overwritten`, {
    code: "FILE_EXISTS",
    hint: "name another directory; to add a user to an installation, see docs/guides/operations.md#nats",
  });
