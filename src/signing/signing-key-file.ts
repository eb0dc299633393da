// Files with the secret keys that orders and statements are signed with. They are NKeys of type account (`SA…`), and never
// keys that one signs in to NATS with: a client signs whatever challenge a server sends.
import { createPrivateKey, sign } from "node:crypto";
import { createAccount } from "@nats-io/nkeys";
import * as v from "valibot";
import { HomelabError } from "../base/errors.ts";
import { readBounded, whyUnreadable } from "../base/files/read-bounded.ts";
import { writeNewSecret } from "../base/files/write-new-secret.ts";
import { SigningKey } from "../protocol/deploy/order.ts";
import { rawSeed } from "./raw-key.ts";
import { signedBytes, type SignedKind } from "./signatures.ts";

export interface Signer {
  readonly key: SigningKey;
  /** 64 bytes. */
  sign(kind: SignedKind, bytes: Uint8Array): Uint8Array;
}

/**
 * Makes a key pair and writes its seed to a new file that only we can read.
 *
 * @returns the public key, for `trustedKeys` or `trustedBuilders` of the hosts
 * @throws HomelabError `usage` `FILE_EXISTS` or `FILE_NOT_WRITABLE`
 */
export async function createSigningKey(file: string): Promise<SigningKey> {
  const pair = createAccount();
  const seed = new TextDecoder().decode(pair.getSeed());
  const key = v.parse(SigningKey, pair.getPublicKey());
  pair.clear();
  await writeNewSecret(file, `${seed}\n`);
  return key;
}

/** A key that is not stored in any file, and is lost with its holder. */
export function newSigner(): Signer {
  const pair = createAccount();
  const seed = new TextDecoder().decode(pair.getSeed());
  pair.clear();
  return signerOf(seed, "a new key");
}

/** @throws HomelabError `config` `SIGNING_KEY_FILE`, never with what the file holds. */
export async function loadSigner(file: string): Promise<Signer> {
  const { text, mode } = await readBounded(file, 4096).catch((error: unknown) => {
    throw new HomelabError("config", `the signing key ${file} cannot be read: ${whyUnreadable(error)}`, {
      code: "SIGNING_KEY_FILE",
      hint: "make one with: homelab-deploy keys create FILE",
      cause: error,
    });
  });
  if ((mode & 0o007) !== 0) {
    throw new HomelabError("config", `everybody on this machine may read the signing key ${file}`, {
      code: "SIGNING_KEY_FILE",
      hint: `make it yours alone (chmod 600 ${file}), or better, make a new one: others may have read it`,
    });
  }
  return signerOf(text.trim(), file);
}

/** RFC 8410: what stands before the 32 bytes of a private key. */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");

/** @param file where the seed came from, for the error */
export function signerOf(seed: string, file: string): Signer {
  if (seed.startsWith("SU")) {
    throw new HomelabError("config", `${file} contains a NATS key, which must not sign orders`, {
      code: "SIGNING_KEY_FILE",
      hint: "whoever owns the NATS server could have an order signed by it; create another one: homelab-deploy keys create FILE",
    });
  }
  let pair: ReturnType<typeof rawSeed>;
  try {
    pair = rawSeed(seed);
  } catch {
    // Without the library's error, which might quote what it read.
    throw notASeed(file);
  }
  const key = v.safeParse(SigningKey, pair.publicKey);
  if (!key.success) throw notASeed(file);
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, pair.raw]),
    format: "der",
    type: "pkcs8",
  });
  return {
    key: key.output,
    sign: (kind, bytes) => new Uint8Array(sign(null, signedBytes(kind, bytes), privateKey)),
  };
}

const notASeed = (file: string): HomelabError =>
  new HomelabError("config", `${file} does not hold the seed of a signing key`, {
    code: "SIGNING_KEY_FILE",
    hint: "a seed is one line that starts with SA; make one with: homelab-deploy keys create FILE",
  });
