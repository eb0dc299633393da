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
