// What our own HTTP (forges, webhooks, the pushgateway, the cache) takes from the environment, as Nix, git and curl do.
import { readFileSync } from "node:fs";
import type { Environment } from "../base/environment.ts";
import { http } from "../base/node-http.ts";
import { loadTls } from "../base/node-tls.ts";
import { nodeProxies } from "../base/proxy-variables.ts";

let isSet = false;

/**
 * For all of this process, once: proxies for `fetch`, and certificate authorities for all of TLS. Not at the start of
 * every command, because reading the authorities of a system takes 60 ms.
 */
export function useNetworkOf(environment: Environment): void {
  if (isSet) return;
  isSet = true;
  const proxies = nodeProxies(environment);
  // Since Node 24.14; before, only NODE_USE_ENV_PROXY at its start does it.
  if (proxies !== undefined && "setGlobalProxyFromEnv" in http) http.setGlobalProxyFromEnv(proxies);
  const file = environment["NIX_SSL_CERT_FILE"] ?? environment["SSL_CERT_FILE"];
  if (file === undefined || file === "" || file === environment["NODE_EXTRA_CA_CERTS"]) return;
  try {
    const tls = loadTls();
    tls.setDefaultCACertificates([...tls.getCACertificates("default"), readFileSync(file, "utf8")]);
  } catch {
    // The file is missing or holds no certificates: Node's own authorities stay.
  }
}
