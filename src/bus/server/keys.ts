// NKeys: Ed25519 key pairs that NATS knows users by. The server's configuration has the public key, only we
// have the seed.
import { createUser, fromSeed } from "@nats-io/nkeys";
import { HomelabError } from "../../base/errors.ts";
import { writeNewSecret } from "../../base/files/write-new-secret.ts";

/** A user's public key: `U` and 55 characters of base 32. */
const publicKeyPattern = /^U[A-Z2-7]{55}$/;
export const isUserPublicKey = (text: string): boolean => publicKeyPattern.test(text);

/**
 * Makes a key pair for a user and writes its seed to a new file that only we can read.
 *
 * @returns the public key, for the server's configuration.
 * @throws HomelabError `usage` `FILE_EXISTS`; an existing file is never touched.
 */
export async function writeNewKey(seedFile: string): Promise<string> {
  const pair = createUser();
  const seed = new TextDecoder().decode(pair.getSeed());
  const publicKey = pair.getPublicKey();
  pair.clear();
  await writeNewSecret(seedFile, `${seed}\n`);
  return publicKey;
}

/**
 * The public key that belongs to a seed.
 *
 * @throws HomelabError `config` `NATS_KEY_FILE` when it is not the seed of a user; never with the seed itself.
 */
export function publicKeyOf(seed: string, seedFile: string): string {
  try {
    const pair = fromSeed(new TextEncoder().encode(seed.trim()));
    const publicKey = pair.getPublicKey();
    pair.clear();
    if (isUserPublicKey(publicKey)) return publicKey;
  } catch {
    // Said below, without the library's error, which might quote what it read.
  }
  throw new HomelabError("config", `${seedFile} does not hold the seed of a NATS user`, {
    code: "NATS_KEY_FILE",
    hint: "a seed is one line that starts with SU; make one with: homelab-deploy nats keygen FILE",
  });
}
