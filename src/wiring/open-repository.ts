// Our copy of a configured repo, with its credentials.
import type { Log } from "../base/log.ts";
import type { RepoSettings } from "../config/repo-schema.ts";
import { createRepository } from "../git/create-repository.ts";
import type { Repository } from "../git/git.ts";
import type { Exec } from "../process/exec.ts";
import type { RepoName } from "../protocol/names.ts";
import { gitAccess } from "./git-access.ts";
import type { Environment } from "../base/environment.ts";

export interface OpenRepositoryOptions {
  readonly repo: RepoName;
  readonly settings: RepoSettings;
  /** The copy is `<state>/mirrors/<repo>.git`, which a builder with the same state directory shares. */
  readonly stateDirectory: string;
  readonly exec: Exec;
  readonly environment: Environment;
  readonly log: Log;
  /** `update.signingKeyFile`, for those who make commits. */
  readonly signingKeyFile?: string;
}

export function openRepository({
  repo,
  settings,
  stateDirectory,
  exec,
  environment,
  log,
  signingKeyFile,
}: OpenRepositoryOptions): Repository {
  return createRepository({
    ...gitAccess(repo, settings, stateDirectory, environment),
    exec,
    log,
    signingKeyFile,
  });
}

/** Where the lock of the configured flake is in its repository. */
export const lockPathOf = ({ directory }: RepoSettings): string =>
  directory === undefined ? "flake.lock" : `${directory}/flake.lock`;
