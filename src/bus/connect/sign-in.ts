import { readFileSync } from "node:fs";
import { credsAuthenticator, nkeyAuthenticator, type NodeConnectionOptions } from "@nats-io/transport-node";
import { HomelabError } from "../../base/errors.ts";
import { readBounded } from "../../base/files/read-bounded.ts";
import { publicKeyOf } from "../server/keys.ts";

/** How we sign in: at most one of them. */
export interface SignIn {
  /** File with an NKey seed. */
  readonly nkeyFile?: string;
  /** File with a JWT and its seed, as `nsc` writes it. */
  readonly credentialsFile?: string;
  /** From a context of the `nats` command; the configuration of homelab-deploy knows only files. */
  readonly password?: { readonly user: string; readonly password: string };
  readonly token?: string;
}

/**
 * The files are checked now and read again each time the server asks who we are, so a key can be replaced
 * while a daemon runs.
 *
 * @throws HomelabError `config` `NATS_KEY_FILE`; never with the file's content.
 */
export async function signInOptions(signIn: SignIn): Promise<NodeConnectionOptions> {
  const { nkeyFile, credentialsFile, password, token } = signIn;
  if (nkeyFile !== undefined) {
    publicKeyOf(await readSecret(nkeyFile), nkeyFile);
    return { authenticator: nkeyAuthenticator(() => trimmed(readFileSync(nkeyFile))) };
  }
  if (credentialsFile !== undefined) {
    const content = await readSecret(credentialsFile);
    if (!content.includes("BEGIN NATS USER JWT")) {
      throw new HomelabError("config", `${credentialsFile} does not hold NATS credentials`, {
        code: "NATS_KEY_FILE",
        hint: "it must be a .creds file with a JWT and a seed; for a plain seed use nkeyFile",
      });
    }
    return { authenticator: credsAuthenticator(() => readFileSync(credentialsFile)) };
  }
  if (password !== undefined) return { user: password.user, pass: password.password };
  return token === undefined ? {} : { token };
}

const trimmed = (bytes: Uint8Array): Uint8Array =>
  new TextEncoder().encode(new TextDecoder().decode(bytes).trim());

async function readSecret(file: string): Promise<string> {
  try {
    return (await readBounded(file, 64 * 1024)).text;
  } catch (error) {
    throw new HomelabError("config", `the key file ${file} cannot be read`, {
      code: "NATS_KEY_FILE",
      hint: "check that it exists and that this user may read it",
      cause: error,
    });
  }
}
