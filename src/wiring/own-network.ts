// What our own HTTP (forges, webhooks, the pushgateway, the cache) takes from the environment, as Nix, git and curl do.
import type { Environment } from "../base/environment.ts";
import { http } from "../base/node-http.ts";
import { nameAuthorities, trustNamedAuthorities } from "../base/node-tls.ts";
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
  nameAuthorities(environment);
  // `fetch` does not say when it begins to use TLS.
  trustNamedAuthorities();
}
