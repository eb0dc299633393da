// What the configuration says about a repo's rollouts, as the deployer takes it.
import type { Config } from "../../config/schema.ts";
import type { GateSettings } from "../../config/deployer-schema.ts";
import { parseBranchName, parseRepoName, type RepoName } from "../../protocol/names.ts";
import type { Gate } from "../../protocol/rollout/rollout-policy.ts";
import type { RolloutSettings } from "../../rollout/deployer-parts.ts";

const dayMs = 86_400_000;

/** For each repo that is rolled out. */
export function rolloutSettingsOf({
  deployer,
  repos,
}: Pick<Config, "deployer" | "repos">): ReadonlyMap<RepoName, RolloutSettings> {
  return new Map(
    Object.entries(deployer.rollouts).map(
      ([name, { automatic, branch, whenOnlineDays, gates, allowedSigners, ...rules }]) => {
        const repo = parseRepoName(name);
        const settings = {
          automatic,
          branch: branch ?? repos[repo]?.branch ?? parseBranchName("master"),
          whenOnlineMs: whenOnlineDays * dayMs,
          allowedSigners,
          policy: { ...rules, gates: gates.map(gateOf), atOnce: false },
        };
        return [repo, settings];
      },
    ),
  );
}

function gateOf({ kind, name, url, query = "" }: GateSettings): Gate {
  return kind === "http" ? { kind, name, url } : { kind, name, url, query };
}
