// Node's TLS, loaded where it is used: with it, Node reads all certificates that the system trusts (`--use-system-ca`),
// which takes as much CPU as the start of Node itself.
import { readFileSync } from "node:fs";
import type * as nodeTls from "node:tls";
import type { Environment } from "./environment.ts";

let named: string | undefined;
let trusted: string | undefined;

export const loadTls = (): typeof nodeTls => process.getBuiltinModule("node:tls");

/** Those of the environment, as Nix, git and curl take them. They are read when something over TLS needs them. */
export function nameAuthorities(environment: Environment): void {
  const file = environment["NIX_SSL_CERT_FILE"] ?? environment["SSL_CERT_FILE"];
  if (file !== "" && file !== environment["NODE_EXTRA_CA_CERTS"]) named = file;
}

/** In addition to Node's and the system's, for all of TLS that has no authorities of its own. */
export function trustNamedAuthorities(): void {
  if (named === undefined || named === trusted) return;
  trusted = named;
  try {
    const tls = loadTls();
    tls.setDefaultCACertificates([...tls.getCACertificates("default"), readFileSync(named, "utf8")]);
  } catch {
    // The file is missing or holds no certificates: Node's own authorities stay.
  }
}
