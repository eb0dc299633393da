// Whether git can read every configured repo, and whether the branch is there.
import { access } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ForgeSettings, RepoSettings } from "../../config/repo-schema.ts";
import { createGitCommand } from "../../git/git-command.ts";
import { shallowRemote } from "../../git/remote-error.ts";
import { readHeads } from "../../git/read-heads.ts";
import type { Exec } from "../../process/exec.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import { parseRepoName } from "../../protocol/names.ts";
import { gitAccess } from "../../wiring/git-access.ts";
import type { Environment } from "../../base/environment.ts";
import { checkVersion } from "./known-holes.ts";
import { findingOf, ok, warning, wrong, type Finding } from "./finding.ts";

export interface RemoteParts {
  readonly exec: Exec;
  readonly environment: Environment;
  /** Ours alone, for git's home. */
  readonly directory: string;
}

export async function checkGit(
  { exec, environment }: RemoteParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const env = { PATH: environment["PATH"] ?? "" };
    const { stdout } = await exec("git", ["--version"], { env, signal, cwd: "/", timeoutMs: 10_000 });
    return [ok("git", stdout.trim()), ...checkVersion("git", stdout.trim())];
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf("git", error)];
  }
}

export async function checkRemotes(
  repos: Readonly<Record<string, RepoSettings>>,
  parts: RemoteParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const checked = Object.entries(repos).map(async ([name, settings]) =>
    checkRemote(name, settings, parts, signal),
  );
  return (await Promise.all(checked)).flat();
}

async function checkRemote(
  name: string,
  settings: RepoSettings,
  { exec, environment, directory }: RemoteParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const check = `repo ${name}`;
  try {
    const remote = gitAccess(parseRepoName(name), settings, directory, environment);
    const credentials = remote.credentials ?? {};
    const git = createGitCommand({ ...remote, exec, credentials, directory: join(directory, name) });
    await git.prepare();
    const heads = await readHeads({ git, url: remote.url, credentials }, signal);
    if (await isShallow(remote.url)) throw shallowRemote(remote.url);
    return judgeRemote(check, settings, heads);
  } catch (error) {
    signal.throwIfAborted();
    return [unreachableAt(settings.url, findingOf(check, error))];
  }
}

/** A server that is away is away for all of its repositories, and as a forge too. */
function unreachableAt(url: string, finding: Finding): Finding {
  const host = URL.parse(url)?.hostname ?? "";
  const isAway = finding.code === "GIT_REMOTE" && away.test(finding.message) && host !== "";
  return isAway ? { ...finding, cause: `no answer from ${host}` } : finding;
}

/** git's own words, and those of curl and ssh below it. */
const away =
  /could not resolve|timed out|no answer within|connection refused|unreachable|failed to connect|couldn't connect/i;

/** Only for a repository on this machine. Others reveal it only after a fetch. */
async function isShallow(url: string): Promise<boolean> {
  if (!url.startsWith("file://")) return false;
  const path = fileURLToPath(url);
  const marks = await Promise.all(
    [join(path, "shallow"), join(path, ".git/shallow")].map(async (file) =>
      access(file).then(
        () => true,
        () => false,
      ),
    ),
  );
  return marks.includes(true);
}

export function judgeRemote(
  check: string,
  { url, branch, update }: Pick<RepoSettings, "url" | "branch" | "update">,
  heads: ReadonlyMap<string, string>,
): readonly Finding[] {
  const tip = heads.get(branch);
  if (tip === undefined) {
    const more = { cause: missingBranch(check.replace(/^repo /, ""), branch) };
    if (heads.size === 0) return [wrong(check, `${url} is empty`, "push the flake to it", more)];
    const near = didYouMean(branch, heads.keys());
    const advice = near === undefined ? "set repos.….branch" : `did you mean ${near}? Set repos.….branch`;
    return [wrong(check, `${url} has no branch ${branch}`, advice, more)];
  }
  const reached = ok(check, `${branch} of ${url} is at ${tip.slice(0, 12)}`);
  const other = update.forge === undefined ? undefined : otherPlace(url, update.forge);
  if (other === undefined) return [reached];
  const message = `its commits are pushed to ${other.git}, and its pull requests opened on ${other.forge}`;
  const advice = "update.forge must be the forge of the same repository";
  return [reached, warning(`${check}: forge`, message, advice)];
}

/** The cause of all findings of it: the forge does not have it either. */
export const missingBranch = (repo: string, branch: string): string => `no branch ${branch} in ${repo}`;

/** The servers of both when they differ, or else the repositories. */
function otherPlace(
  url: string,
  { url: forgeUrl, owner, repository }: Pick<ForgeSettings, "url" | "owner" | "repository">,
): { readonly git: string; readonly forge: string } | undefined {
  const git = URL.parse(url);
  const [one, other] = [git?.hostname ?? "", URL.parse(forgeUrl)?.hostname ?? ""];
  if (one === "") return undefined;
  if (one !== other) return { git: one, forge: other };
  const path = (git?.pathname ?? "")
    .replace(/\/$/, "")
    .replace(/\.git$/, "")
    .split("/")
    .filter((part) => part !== "");
  const mine = path.slice(-2).join("/").toLowerCase();
  const theirs = `${owner}/${repository}`.slice(path.length < 2 ? owner.length + 1 : 0);
  return mine === theirs.toLowerCase() ? undefined : { git: path.slice(-2).join("/"), forge: theirs };
}
