// The key that this person signs orders with.
import { join, resolve } from "node:path";
import type { Environment } from "../../base/environment.ts";
import { loadSigner, type Signer } from "../../signing/signing-key-file.ts";

/** `--key`, then `$HOMELAB_DEPLOY_KEY`, then the user's own. */
export function orderKeyFile(option: string | undefined, environment: Environment): string {
  const named = option ?? environment["HOMELAB_DEPLOY_KEY"];
  if (named !== undefined && named !== "") return resolve(named);
  const config = environment["XDG_CONFIG_HOME"] ?? join(environment["HOME"] ?? "/", ".config");
  return join(config, "homelab-deploy", "order.seed");
}

/** @throws HomelabError `config` `SIGNING_KEY_FILE` */
export const loadOrderKey = (option: string | undefined, environment: Environment): Promise<Signer> =>
  loadSigner(orderKeyFile(option, environment));
