// How git reaches a configured repo: where our copy of it is, and with which files it signs in.
import { join } from "node:path";
import type { RepoSettings } from "../config/repo-schema.ts";
import type { Config } from "../config/schema.ts";
import type { MirrorOptions } from "../git/mirror.ts";
import { serverOf, type GitCredentials } from "../git/sign-in-programs.ts";
import type { RepoName } from "../protocol/names.ts";
import type { Environment } from "../base/environment.ts";
import { credentialFiles } from "./credential-files.ts";
import { inputServers } from "./input-servers.ts";

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
    directory: mirrorDirectory(stateDirectory, repo),
    environment,
    allowOtherOwner,
    credentials: credentials && credentialFiles(credentials, environment),
  };
}

/** Where our copy of a repo is. */
export const mirrorDirectory = (stateDirectory: string, repo: string): string =>
  join(stateDirectory, "mirrors", `${repo}.git`);

/**
 * For a repository that is not configured itself: how git signs in to its server, as `inputs.credentials` has it, or a
 * configured repo of the same server. Nothing for any other server.
 */
export function credentialsFor(
  { repos, inputs }: Pick<Config, "repos" | "inputs">,
  url: string,
  environment: Environment,
): GitCredentials {
  const input = inputServers(inputs, environment).find(({ server }) => server === serverOf(url));
  if (input !== undefined) return input.credentials;
  const same = Object.values(repos).find(({ url: known }) => serverOf(known) === serverOf(url));
  return same?.credentials === undefined ? {} : credentialFiles(same.credentials, environment);
}
