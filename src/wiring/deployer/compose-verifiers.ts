// Wiring of what verifies commits before they are rolled out: a copy of the repo in the deployer's state directory.
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { createCommitVerifier, type VerifyCommit } from "../../git/verify-commit.ts";
import { createExec } from "../../process/create-exec.ts";
import type { RepoName } from "../../protocol/names.ts";
import type { RolloutSettings } from "../../rollout/deployer-parts.ts";
import { gitAccess } from "../git-access.ts";

export interface VerifierOptions {
  readonly config: Pick<Config, "repos" | "deployer">;
  readonly settings: ReadonlyMap<RepoName, Pick<RolloutSettings, "allowedSigners">>;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * For each repo of which only signed commits are rolled out.
 *
 * @throws HomelabError `config` for a repo without a URL
 */
export function composeVerifiers({
  config: { repos, deployer },
  settings,
  environment,
  clock,
  log,
}: VerifierOptions): ReadonlyMap<RepoName, VerifyCommit> {
  const exec = createExec(clock);
  const verifiers = new Map<RepoName, VerifyCommit>();
  for (const [repo, { allowedSigners }] of settings) {
    if (allowedSigners === undefined) continue;
    const access = repos[repo];
    if (access === undefined) {
      throw new HomelabError("config", `deployer.rollouts.${repo}.allowedSigners needs repos.${repo}`, {
        code: "BAD_CONFIG",
        hint: "name the repo's url in repos, from which its commits are fetched",
      });
    }
    const place = gitAccess(repo, access, deployer.stateDirectory, environment);
    verifiers.set(repo, createCommitVerifier({ ...place, exec, clock, log, allowedSigners }));
  }
  return verifiers;
}
