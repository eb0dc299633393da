// The repos downstream of an updated one, as their settings and Nix here know them.
import type { RepoSettings } from "../../config/repo-schema.ts";
import type { Config } from "../../config/schema.ts";
import type { Repository } from "../../git/git.ts";
import type { Evaluator } from "../../nix/evaluator.ts";
import { parseHostName, parseRepoName, type RepoName } from "../../protocol/names.ts";
import type { Downstream } from "../../update/judge/judge-downstream.ts";
import { submodulesOrigin } from "../submodules.ts";
import { listingOptions } from "./nix-upstream.ts";

export interface NixDownstreamOptions {
  readonly config: Pick<Config, "repos">;
  /** The updated one. */
  readonly repo: RepoName;
  readonly settings: RepoSettings;
  readonly repository: Repository;
  readonly nix: Evaluator;
  readonly open: (repo: RepoName, settings: RepoSettings) => Repository;
}

export function createNixDownstream({
  config,
  repo: updated,
  settings,
  repository,
  nix,
  open,
}: NixDownstreamOptions): readonly Downstream[] {
  return settings.update.downstream.flatMap(({ repo: name, input, hosts, required }) => {
    const repo = parseRepoName(name);
    const theirs = config.repos[repo];
    // The configuration's rules demand it.
    if (theirs === undefined) return [];
    const { mirror } = open(repo, theirs);
    return {
      repo,
      input,
      hosts: hosts?.map(parseHostName),
      required,
      resolve: (signal) => mirror.resolveBranch(theirs.branch, signal),
      async listHosts(commit, at, signal) {
        await mirror.ensureCommit(commit, signal);
        const override = {
          input,
          mirror: repository.mirror.path,
          commit: at,
          directory: settings.directory,
          submodulesOrigin: submodulesOrigin(updated, settings),
        };
        const source = {
          mirror: mirror.path,
          commit,
          directory: theirs.directory,
          submodulesOrigin: submodulesOrigin(repo, theirs),
          overrides: [override],
        };
        return nix.listHosts(source, listingOptions, signal);
      },
    };
  });
}
