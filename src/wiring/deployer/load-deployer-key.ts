// The key that the deployer signs orders with.
import type { Environment } from "../../base/environment.ts";
import { HomelabError } from "../../base/errors.ts";
import type { DeployerSettings } from "../../config/deployer-schema.ts";
import { resolveSecretPath } from "../../config/secrets.ts";
import { loadSigner, type Signer } from "../../signing/signing-key-file.ts";

/** @throws HomelabError `config` `BAD_CONFIG`, `BAD_SECRET` or `SIGNING_KEY_FILE`: also for a key that signs in to NATS */
export async function loadDeployerKey(
  { keyFile }: Pick<DeployerSettings, "keyFile">,
  environment: Environment,
): Promise<Signer> {
  if (keyFile === undefined) {
    throw new HomelabError(
      "config",
      "deployer.keyFile is missing: a deployer signs every order with its key",
      {
        code: "BAD_CONFIG",
        hint: "make a key: homelab-deploy keys create FILE",
      },
    );
  }
  return loadSigner(resolveSecretPath(keyFile, environment["CREDENTIALS_DIRECTORY"]));
}
