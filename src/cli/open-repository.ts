// Our copy of a configured repo, with its credentials.
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import type { RepoSettings } from "../config/schema.ts";
import { resolveSecretPath } from "../config/secrets.ts";
import { createRepository } from "../git/create-repository.ts";
import type { Repository } from "../git/git.ts";
import type { Exec } from "../process/exec.ts";
import type { RepoName } from "../protocol/names.ts";
import type { Environment } from "./print/output-mode.ts";

export interface OpenRepositoryOptions {
  readonly repo: RepoName;
  readonly settings: RepoSettings;
  /** The copy is `<state>/mirrors/<repo>.git`, which a builder with the same state directory shares. */
  readonly stateDirectory: string;
  readonly exec: Exec;
  readonly environment: Environment;
  readonly log: Log;
}

export function openRepository({
  repo,
  settings: { url, credentials },
  stateDirectory,
  exec,
  environment,
  log,
}: OpenRepositoryOptions): Repository {
  const file = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolveSecretPath(path, environment["CREDENTIALS_DIRECTORY"]);
  return createRepository({
    exec,
    repo,
    url,
    directory: join(stateDirectory, "mirrors", `${repo}.git`),
    environment,
    log,
    ...(credentials === undefined
      ? {}
      : {
          credentials: {
            ...credentials,
            tokenFile: file(credentials.tokenFile),
            sshKeyFile: file(credentials.sshKeyFile),
          },
        }),
  });
}

/** Where the lock of the configured flake is in its repository. */
export const lockPathOf = ({ directory }: RepoSettings): string =>
  directory === undefined ? "flake.lock" : `${directory}/flake.lock`;
