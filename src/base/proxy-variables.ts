// The variables that name a proxy. curl, git and Node do not agree on their case: curl reads only the small
// `http_proxy` (a CGI program's HTTP_PROXY is a header of its client), and people write both.
import type { Environment } from "./environment.ts";

const names = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] as const;

/** Those that are set, each in both cases. The small one wins, as in curl. */
export function proxyVariables(environment: Environment): Readonly<Record<string, string>> {
  const set = names.flatMap((name) => {
    const value = environment[name] ?? environment[name.toUpperCase()];
    return value === undefined
      ? []
      : [
          [name, value],
          [name.toUpperCase(), value],
        ];
  });
  return Object.fromEntries(set) as Record<string, string>;
}

/** Nobody reaches our own machine through a proxy. */
const loopback = ["localhost", "127.0.0.1", "::1"];

/**
 * For Node (`proxyEnv` of its agents), which wants a scheme, speaks HTTP to proxies only, has no `all_proxy`, and of
 * `no_proxy` takes a name for that host alone, where curl takes it for the domain.
 */
export function nodeProxies(environment: Environment): Readonly<Record<string, string>> | undefined {
  const set = proxyVariables(environment);
  const proxyOf = (name: "http_proxy" | "https_proxy"): string | undefined => {
    const value = set[name] ?? set["all_proxy"];
    if (value === undefined || value === "") return undefined;
    const url = value.includes("://") ? value : `http://${value}`;
    return /^https?:\/\//i.test(url) ? url : undefined;
  };
  const [http_proxy, https_proxy] = [proxyOf("http_proxy"), proxyOf("https_proxy")];
  if (http_proxy === undefined && https_proxy === undefined) return undefined;
  const direct = (set["no_proxy"] ?? "").split(/[\s,]+/).filter((entry) => entry !== "");
  const domains = direct.flatMap((entry) =>
    /^[A-Za-z][A-Za-z0-9.-]*$/.test(entry) ? [entry, `.${entry}`] : [entry],
  );
  return {
    ...(http_proxy === undefined ? {} : { http_proxy }),
    ...(https_proxy === undefined ? {} : { https_proxy }),
    no_proxy: [...loopback, ...domains].join(","),
  };
}
