// A user of NATS whose key lies in a directory of ours.
import { readFile } from "node:fs/promises";
import { publicKeyOf, writeNewKey } from "./keys.ts";
import { inboxPrefixOf, type Identity, type NatsUser } from "./permissions.ts";

/** How a client signs in as the user, as `nats` of a configuration file has it. */
export interface SignIn {
  readonly nkeyFile: string;
  readonly inboxPrefix: string;
}

/**
 * The user whose seed is in that file; a new key is made where there is no file.
 *
 * @throws HomelabError `config` `NATS_KEY_FILE` when the file does not hold a user's seed
 */
export async function userWithKey(
  nkeyFile: string,
  identity: Identity,
): Promise<{ readonly user: NatsUser; readonly signIn: SignIn }> {
  const seed = await readFile(nkeyFile, "utf8").catch(() => undefined);
  const publicKey = seed === undefined ? await writeNewKey(nkeyFile) : publicKeyOf(seed, nkeyFile);
  return { user: { ...identity, publicKey }, signIn: { nkeyFile, inboxPrefix: inboxPrefixOf(identity) } };
}
