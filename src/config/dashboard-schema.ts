// The dashboard's settings.
import * as v from "valibot";
import { addressAndPort, described, secretFile } from "./setting-types.ts";

const pageUrl = v.pipe(
  v.string(),
  v.maxLength(1024),
  v.regex(/^https?:\/\/[^\s@?#]+$/, "must be an http:// or https:// URL without a user"),
);
const hostName = v.pipe(
  v.string(),
  v.regex(
    /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/,
    "must be a host name without a port",
  ),
);
const address = v.pipe(v.string(), v.regex(/^[0-9A-Fa-f:.]{2,45}$/, "must be an IP address"));

export const DashboardSettings = v.strictObject({
  listen: described(
    v.optional(addressAndPort, "127.0.0.1:9482"),
    "Address to listen on. Addresses beyond the loopback need `auth.mode` `proxy`. Port 0 takes any free port.",
  ),
  publicUrl: described(
    v.optional(pageUrl),
    "URL at which people open the dashboard, such as `https://deploy.lan`. Its host is added to `allowedHosts`.",
  ),
  allowedHosts: described(
    v.optional(v.array(hostName), []),
    "Host names that browsers may use, besides `localhost` and the loopback addresses.",
  ),
  auth: described(
    v.optional(
      v.strictObject({
        mode: described(
          v.optional(v.picklist(["none", "proxy"]), "none"),
          "`none`: whoever can connect sees everything. `proxy`: only proxies in `trustedProxies` that send the secret in `X-Proxy-Secret`; they name the user in `X-Remote-User`.",
        ),
        trustedProxies: described(v.optional(v.array(address), []), "IP addresses of the proxy."),
        proxySecretFile: described(v.optional(secretFile), "File with the secret that the proxy sends."),
      }),
      {},
    ),
    "Who has access. The dashboard has no sign-in of its own.",
  ),
  logs: described(
    v.optional(v.picklist(["everybody", "login"]), "everybody"),
    "Who sees logs, which can contain secrets: everybody who sees the pages, or only users that the proxy names.",
  ),
  links: described(
    v.optional(
      v.strictObject({
        grafana: described(v.optional(pageUrl), "URL of the Grafana dashboard."),
        prometheus: described(
          v.optional(pageUrl),
          "URL of Prometheus, such as `http://prometheus.lan:9090`. Health shows its alerts from our rules.",
        ),
        forge: described(
          v.optional(pageUrl),
          "Web address of the repository, such as `https://git.lan/infra/nixos-servers`, for links to commits. Only useful if all repos are in one repository.",
        ),
      }),
      {},
    ),
    "Links to other pages.",
  ),
});
export type DashboardSettings = v.InferOutput<typeof DashboardSettings>;
