// What a person has to change so that the next update lands. Pure.
import type { BranchFacts } from "../../forge/forge.ts";
import type { BranchName } from "../../protocol/names.ts";
import { statusContext } from "./commit-statuses.ts";

export type LandingWay = "push" | "pull-request";

export interface Refusal {
  readonly way: LandingWay;
  readonly branch: BranchName;
  /** The user of the forge's token; undefined without a forge. */
  readonly user: string | undefined;
  /** In the remote's own words. */
  readonly words: string;
  /** Undefined where nobody could be asked. */
  readonly facts: Pick<BranchFacts, "isProtected" | "requiredStatuses" | "requiredApprovals"> | undefined;
}

/**
 * Words of Gitea: routers/private/hook_pre_receive.go for pushes, services/pull/check.go and merge.go for merges.
 *
 * @returns one sentence; undefined for words that nobody here knows, such as those of an own hook
 */
export function adviceFor({
  way,
  branch,
  user = "the update's user",
  words,
  facts,
}: Refusal): string | undefined {
  const on = `the protection rule of ${branch}`;
  if (/unverified commit|wont sign/i.test(words))
    return `turn off signed commits in ${on}: updates do not sign`;
  // Gitea 1.26.0 answers so to commits without a signature where they are required.
  if (/Internal Server Error/.test(words)) {
    return `the forge's log says why; if ${on} requires signed commits, turn that off: updates do not sign`;
  }
  if (/protected from changing file|protected files/i.test(words)) {
    return `remove flake.lock from the protected file patterns of ${on}`;
  }
  if (/Not allowed to push to protected branch/.test(words)) {
    return way === "push"
      ? `allow ${user} to push in ${on}, or set "landing": "pull-request" for this repo`
      : `allow ${user} to merge in ${on}`;
  }
  if (/User not allowed to merge/.test(words)) return `allow ${user} to merge in ${on}`;
  if (/required status checks/.test(words)) return statusAdvice(branch, facts);
  if (/enough approvals/.test(words)) {
    const count = facts?.requiredApprovals ?? 0;
    const approvals = count === 1 ? "1 approval" : `${count === 0 ? "" : `${count} `}approvals`;
    return `${branch} requires ${approvals} by people: approve this pull request and merge it by fast-forward, or allow ${user} to push`;
  }
  if (/requested changes|review requests/.test(words)) {
    return "reviewers requested changes, or reviews are pending: merge by fast-forward once they approve";
  }
  if (/allowed merge style/.test(words)) {
    return "allow fast-forward-only merges in the settings of the repository";
  }
  return undefined;
}

function statusAdvice(branch: BranchName, facts: Refusal["facts"]): string {
  const others = (facts?.requiredStatuses ?? []).filter((context) => context !== statusContext);
  const named = others.length === 0 ? "other commit statuses" : `the commit statuses ${others.join(", ")}`;
  return `${branch} requires ${named}, and an update sets only ${statusContext}: merge by fast-forward once they are green, or require only ${statusContext}`;
}
