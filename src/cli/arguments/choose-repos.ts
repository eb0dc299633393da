import { HomelabError } from "../../base/errors.ts";
import type { RepoSettings } from "../../config/repo-schema.ts";
import type { Config } from "../../config/schema.ts";
import { isSameRepository } from "../../config/shared-repository.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import { parseRepoName, type RepoName } from "../../protocol/names.ts";

/**
 * The configured repos, or the one that is named.
 *
 * @throws HomelabError `config` `NO_REPOS`; `usage` `UNKNOWN_REPO`.
 */
export function chooseRepos(
  config: Config,
  named: string | undefined,
): readonly (readonly [RepoName, RepoSettings])[] {
  const all = Object.entries(config.repos).map(
    ([name, settings]) => [parseRepoName(name), settings] as const,
  );
  if (all.length === 0) {
    throw new HomelabError("config", "no repos are configured", {
      code: "NO_REPOS",
      hint: "name a configuration file with `repos`: --config FILE, or HOMELAB_DEPLOY_CONFIG",
    });
  }
  if (named === undefined) return all;
  const wanted = parseRepoName(named);
  const found = all.filter(([name]) => name === wanted);
  if (found.length > 0) return found;
  const near = didYouMean(
    named,
    all.map(([name]) => name),
  );
  throw new HomelabError("usage", `there is no repo ${wanted}`, {
    code: "UNKNOWN_REPO",
    hint: near === undefined ? `there is ${all.map(([name]) => name).join(", ")}` : `did you mean ${near}?`,
  });
}

/**
 * Two updates of one repository would use the same branch of the day, and close each other's pull requests.
 *
 * @throws HomelabError `config` `SHARED_REPOSITORY`
 */
export function refuseShared(repos: ReturnType<typeof chooseRepos>): void {
  for (const [index, [name, { url }]] of repos.entries()) {
    const twin = repos.slice(0, index).find(([, other]) => isSameRepository(url, other.url));
    if (twin === undefined) continue;
    throw new HomelabError(
      "config",
      `${twin[0]} and ${name} are in one repository, of which only one can be updated`,
      {
        code: "SHARED_REPOSITORY",
        hint: "name the one that is: --repo",
      },
    );
  }
}
