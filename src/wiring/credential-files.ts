import type { Environment } from "../base/environment.ts";
import type { RepoSettings } from "../config/repo-schema.ts";
import { resolveSecretPath } from "../config/secrets.ts";
import type { GitCredentials } from "../git/sign-in-programs.ts";

/**
 * Credentials as git takes them: with the paths that they have in this process.
 *
 * @throws HomelabError `config` with code `BAD_SECRET` where a file is a credential of a service, and we are not one.
 */
export function credentialFiles(
  { username, tokenFile, sshKeyFile, knownHostsFile }: NonNullable<RepoSettings["credentials"]>,
  environment: Environment,
): GitCredentials {
  const file = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolveSecretPath(path, environment["CREDENTIALS_DIRECTORY"]);
  return { username, tokenFile: file(tokenFile), sshKeyFile: file(sshKeyFile), knownHostsFile };
}
