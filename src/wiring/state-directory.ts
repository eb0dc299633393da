import { HomelabError, messageOf } from "../base/errors.ts";
import { makeDirectory, probeDirectory } from "../base/files/make-directory.ts";

/**
 * Makes the state directory before anything else needs it.
 *
 * @param setting that names it: `builder.stateDirectory`
 * @throws HomelabError `config` with code `BAD_STATE_DIRECTORY`
 */
export async function prepareStateDirectory(directory: string, setting: string): Promise<void> {
  try {
    await makeDirectory(directory, { mode: 0o700 });
    await probeDirectory(directory);
  } catch (error) {
    throw stateDirectoryError(directory, setting, error);
  }
}

export const stateDirectoryError = (directory: string, setting: string, error: unknown): HomelabError =>
  new HomelabError("config", `this user cannot keep files in ${directory}: ${messageOf(error)}`, {
    code: "BAD_STATE_DIRECTORY",
    hint: `set ${setting} to a directory that this user can make or write, or give it to this user with chown`,
    cause: error,
  });
