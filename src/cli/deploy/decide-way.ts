// Whether the deployer is asked for a rollout, or this command orders host after host.
import type { HostAddress } from "../../bus/deploy-bus.ts";
import type { RepoName } from "../../protocol/names.ts";

export interface WayOptions {
  readonly boot?: boolean;
  readonly allowDowngrade?: boolean;
  readonly allowDrift?: boolean;
  readonly key?: string;
}

export type DeployWay =
  | { readonly type: "rollout"; readonly repo: RepoName }
  /** `why`: what keeps several hosts from being a rollout. */
  | { readonly type: "orders"; readonly why?: string };

/** What only a person may, the deployer is not asked for. */
export function decideWay(
  hosts: readonly HostAddress[],
  { boot, allowDowngrade, allowDrift, key }: WayOptions,
): DeployWay {
  const [first, ...others] = hosts;
  if (first === undefined || others.length === 0) return { type: "orders" };
  const options = [
    ...(boot === true ? ["--boot"] : []),
    ...(allowDowngrade === true ? ["--allow-downgrade"] : []),
    ...(allowDrift === true ? ["--allow-drift"] : []),
    ...(key === undefined ? [] : ["--key"]),
  ];
  if (options.length > 0) {
    return {
      type: "orders",
      why: `${options.join(" and ")} ${options.length === 1 ? "is" : "are"} for a person's own key`,
    };
  }
  if (others.some(({ repo }) => repo !== first.repo)) {
    return { type: "orders", why: "the hosts are of several repos, and a rollout is of one (--repo)" };
  }
  return { type: "rollout", repo: first.repo };
}
