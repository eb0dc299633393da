// How git reaches a configured repo: where our copy of it is, and with which files it signs in.
import { join } from "node:path";
import type { Config, RepoSettings } from "../config/schema.ts";
import { resolveSecretPath } from "../config/secrets.ts";
import type { MirrorOptions } from "../git/mirror.ts";
import type { GitCredentials } from "../git/sign-in-programs.ts";
import type { RepoName } from "../protocol/names.ts";
import type { Environment } from "../base/environment.ts";

/** @param stateDirectory the copy is `<state>/mirrors/<repo>.git`; all with the same directory share it */
export function gitAccess(
  repo: RepoName,
  { url, credentials, allowOtherOwner }: Pick<RepoSettings, "url" | "credentials" | "allowOtherOwner">,
  stateDirectory: string,
  environment: Environment,
): Pick<MirrorOptions, "repo" | "url" | "directory" | "environment" | "credentials" | "allowOtherOwner"> {
  return {
    repo,
    url,
    directory: join(stateDirectory, "mirrors", `${repo}.git`),
    environment,
    allowOtherOwner,
    credentials: credentials && credentialFiles(credentials, environment),
  };
}

/**
 * For a repository that is not configured itself: how git signs in to a configured one of the same server, which has
 * these credentials already. Nothing for any other server.
 */
export function credentialsFor(
  { repos }: Pick<Config, "repos">,
  url: string,
  environment: Environment,
): GitCredentials {
  const same = Object.values(repos).find(({ url: known }) => serverOf(known) === serverOf(url));
  return same?.credentials === undefined ? {} : credentialFiles(same.credentials, environment);
}

const serverOf = (url: string): string => {
  const { protocol, host } = URL.parse(url) ?? { protocol: url, host: "" };
  return `${protocol}//${host}`;
};

function credentialFiles(
  credentials: NonNullable<RepoSettings["credentials"]>,
  environment: Environment,
): GitCredentials {
  const file = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolveSecretPath(path, environment["CREDENTIALS_DIRECTORY"]);
  return {
    ...credentials,
    tokenFile: file(credentials.tokenFile),
    sshKeyFile: file(credentials.sshKeyFile),
  };
}
