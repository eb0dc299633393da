import { open } from "node:fs/promises";
import { hasCode, HomelabError } from "../errors.ts";

/**
 * Writes a secret to a new file that only we can read, and has it on the disk when it resolves.
 *
 * @throws HomelabError `usage` `FILE_EXISTS` or `FILE_NOT_WRITABLE`; an existing file is never touched.
 */
export async function writeNewSecret(path: string, content: string): Promise<void> {
  const file = await open(path, "wx", 0o600).catch((error: unknown) => {
    const exists = hasCode(error, "EEXIST");
    throw new HomelabError("usage", `the key file ${path} cannot be created`, {
      code: exists ? "FILE_EXISTS" : "FILE_NOT_WRITABLE",
      hint: exists
        ? "choose another name; a key is never overwritten"
        : "check that its directory exists and is writable",
      cause: error,
    });
  });
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
