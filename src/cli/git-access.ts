// How git reaches a configured repo: where our copy of it is, and with which files it signs in.
import { join } from "node:path";
import type { RepoSettings } from "../config/schema.ts";
import { resolveSecretPath } from "../config/secrets.ts";
import type { MirrorOptions } from "../git/mirror.ts";
import type { RepoName } from "../protocol/names.ts";
import type { Environment } from "./print/output-mode.ts";

/** @param stateDirectory the copy is `<state>/mirrors/<repo>.git`; all with the same directory share it */
export function gitAccess(
  repo: RepoName,
  { url, credentials }: Pick<RepoSettings, "url" | "credentials">,
  stateDirectory: string,
  environment: Environment,
): Pick<MirrorOptions, "repo" | "url" | "directory" | "environment" | "credentials"> {
  const file = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolveSecretPath(path, environment["CREDENTIALS_DIRECTORY"]);
  return {
    repo,
    url,
    directory: join(stateDirectory, "mirrors", `${repo}.git`),
    environment,
    ...(credentials === undefined
      ? {}
      : {
          credentials: {
            ...credentials,
            tokenFile: file(credentials.tokenFile),
            sshKeyFile: file(credentials.sshKeyFile),
          },
        }),
  };
}
