// What the safe update needs of a forge: a token that may do it, and a repository that lets it. Nothing is changed:
// where only a write tells whether it is allowed, what it names does not exist.
import { HomelabError } from "../../base/errors.ts";
import type { BranchFacts, Forge } from "../../forge/forge.ts";
import { parseBranchName, type BranchName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { missingBranch } from "./check-remotes.ts";
import { findingOf, ok, unknown, warning, wrong, type Finding } from "./finding.ts";

export interface ForgeTarget {
  readonly repo: string;
  /** The branch that updates land on. */
  readonly branch: BranchName;
}

/** @param signIn of `createForge` */
export async function checkForge(
  { repo, branch }: ForgeTarget,
  signIn: () => Promise<Forge>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const check = `forge of ${repo}`;
  try {
    const forge = await signIn();
    const signedIn = ok(check, `signed in as ${forge.user}, ${forge.kind} ${forge.version}`.trim());
    return [
      signedIn,
      ...judgeRepository(check, await forge.repository(signal)),
      ...(await checkBranch({ repo, branch }, check, forge, signal)),
      ...(await checkScopes(check, forge, signal)),
    ];
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf(check, error)];
  }
}

function judgeRepository(check: string, facts: Awaited<ReturnType<Forge["repository"]>>): readonly Finding[] {
  const { permissions, isArchived, isMirror, isEmpty, hasPullRequests } = facts;
  const at = `${check}: repository`;
  const problems: readonly (false | Finding)[] = [
    isArchived && wrong(at, "it is archived: nobody can push to it", "unarchive it, or take it out of repos"),
    isMirror && wrong(at, "it is a mirror, and accepts no commits", "configure the one that it mirrors"),
    isEmpty && wrong(at, "it is empty", "push the flake to it"),
    !hasPullRequests &&
      wrong(at, "pull requests are switched off in it", "switch them on in the repository's settings"),
    !permissions.push &&
      wrong(at, "the token's user may not push to it", "make this user a collaborator with write access"),
  ];
  return problems.filter((each) => each !== false);
}

async function checkBranch(
  { repo, branch: name }: ForgeTarget,
  check: string,
  forge: Forge,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const at = `${check}: branch ${name}`;
  const branch = await forge.branch(name, signal);
  if (branch === undefined) {
    const more = { cause: missingBranch(repo, name) };
    return [wrong(at, "there is no such branch", "set repos.….branch", more)];
  }
  return judgeBranch(at, branch, forge.user);
}

function judgeBranch(
  at: string,
  { isProtected, canPush, canMerge, requiredApprovals }: BranchFacts,
  user: string,
): readonly Finding[] {
  if (canPush === true) return [ok(at, isProtected ? "protected, and we may push" : "we may push")];
  if (!isProtected && canPush === undefined) return [];
  if (canPush === undefined && canMerge === undefined) {
    const advice = "see what `homelab-deploy update` reports, or check the branch's protection";
    return [unknown(at, "it is protected, and the forge does not tell whether we may push", advice)];
  }
  if (canMerge === true && requiredApprovals === 0) {
    return [ok(at, "protected: what builds everywhere lands through a pull request")];
  }
  const message =
    canMerge === true
      ? `a merge into it needs ${requiredApprovals} approvals: no update can land by itself`
      : "it is protected, and this user may not push to it: no update can land by itself";
  const advice = `allow ${user} to push or merge in the branch's protection, or merge the proposals yourself`;
  return [warning(at, message, advice)];
}

async function checkScopes(check: string, forge: Forge, signal: AbortSignal): Promise<readonly Finding[]> {
  const nowhere = parseBranchName(`homelab-deploy-doctor/${newBuildId(new Date())}`);
  const probes: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["write:repository", async () => forge.deleteBranch(nowhere, signal)],
    // No comment has this number.
    ["write:issue", async () => forge.editComment(0, "homelab-deploy doctor", signal)],
  ];
  const findings: Finding[] = [];
  for (const [scope, probe] of probes) {
    try {
      await probe();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HomelabError) || error.kind === "unavailable") {
        const finding = findingOf(`${check}: scope`, error);
        findings.push({ ...finding, state: "unknown", hint: finding.hint ?? "try again" });
      } else if (error.code === "FORGE_SCOPE" || error.code === "FORGE_FORBIDDEN") {
        const advice = `give the token the scope ${scope}; on GitHub contents and pull requests with write access`;
        findings.push(wrong(`${check}: scope`, `the token may not do what ${scope} allows`, advice));
      }
    }
  }
  return findings.length > 0 ? findings : [ok(`${check}: scope`, "the token may write")];
}
