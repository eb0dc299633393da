// The key with which a host signs in to NATS. Where none is configured it makes its own at the first start: the secret half
// never leaves the host, and putting the public half among the users of NATS is the admission.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { publicKeyOf, writeNewKey } from "../../bus/server/keys.ts";

export const listenerKeyFile = "nats.nk";

/** @returns its file and its public half. @throws HomelabError `config` `NATS_KEY_FILE` */
export async function ownListenerKey(
  stateDirectory: string,
  log: Log,
): Promise<{ readonly nkeyFile: string; readonly publicKey: string }> {
  const nkeyFile = join(stateDirectory, listenerKeyFile);
  try {
    return { nkeyFile, publicKey: publicKeyOf(await readFile(nkeyFile, "utf8"), nkeyFile) };
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  const publicKey = await writeNewKey(nkeyFile);
  log.info({ publicKey }, "this host has made its NATS key: add it to the users of NATS to admit the host");
  return { nkeyFile, publicKey };
}
