// Which servers each host of `inputs.credentials` stands for.
import type { Environment } from "../base/environment.ts";
import type { InputsSettings } from "../config/input-schema.ts";
import type { GitCredentials, ServerAccess } from "../git/sign-in-programs.ts";
import { credentialFiles } from "./credential-files.ts";

/** @throws HomelabError like `credentialFiles` */
export const inputServers = (
  { credentials }: InputsSettings,
  environment: Environment,
): readonly ServerAccess[] =>
  Object.entries(credentials).flatMap(([host, settings]) =>
    serversAt(host, credentialFiles(settings, environment)),
  );

/** What never leaves this machine needs no TLS. */
const isLoopback = (host: string): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(host);

/** A host, with a port or without, is one server for each transport. The usual port may be in a URL all the same. */
function serversAt(host: string, credentials: GitCredentials): readonly ServerAccess[] {
  const usual = { https: ":443", http: ":80" } as const;
  const schemes = isLoopback(host) ? (["https", "http"] as const) : (["https"] as const);
  const byToken = schemes.flatMap((scheme) => {
    const port = usual[scheme];
    if (host.endsWith(port)) return [`${scheme}://${host}`, `${scheme}://${host.slice(0, -port.length)}`];
    return /:\d+$/.test(host)
      ? [`${scheme}://${host}`]
      : [`${scheme}://${host}`, `${scheme}://${host}${port}`];
  });
  const bySsh = `ssh://${host.replace(/:\d+$/, "").replaceAll(/[[\]]/g, "")}`;
  return [
    ...(credentials.tokenFile === undefined ? [] : byToken.map((server) => ({ server, credentials }))),
    ...(credentials.sshKeyFile === undefined ? [] : [{ server: bySsh, credentials }]),
  ];
}
