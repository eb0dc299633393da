// Reads what may be missing. Everything else that the file system says is an error.
import { readdir, realpath } from "node:fs/promises";
import { hasCode } from "../base/errors.ts";
import { readBounded } from "../base/files/read-bounded.ts";

const isMissing = (error: unknown): boolean => hasCode(error, "ENOENT", "ENOTDIR");

/** @throws OversizedFileError when it is larger */
export async function readTextIfThere(path: string, maxBytes: number): Promise<string | undefined> {
  return orUndefined(readBounded(path, maxBytes).then(({ text }) => text));
}

export const namesIfThere = async (directory: string): Promise<readonly string[]> =>
  (await orUndefined(readdir(directory))) ?? [];

/** Undefined also for a link that leads nowhere. */
export const realPathIfThere = async (path: string): Promise<string | undefined> =>
  orUndefined(realpath(path));

export async function orUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
