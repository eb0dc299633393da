// `--repo` of `up`: from what a person types to a configured repo.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import * as v from "valibot";
import { HomelabError, messageOf } from "../../base/errors.ts";
import { GitUrl, RepoSettings } from "../../config/repo-schema.ts";
import { createExec } from "../../process/create-exec.ts";
import { createGitCommand, type GitCommandOptions } from "../../git/git-command.ts";
import { gitWords } from "../../git/remote-error.ts";
import type { GitCredentials } from "../../git/sign-in-programs.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { parseRepoName, type RepoName } from "../../protocol/names.ts";
import type { Environment } from "../../base/environment.ts";

export interface NamedUrl {
  readonly name: RepoName;
  readonly url: string;
}

/**
 * `URL`, `PATH`, or one of them with `NAME=` before it. The name is otherwise the last part of the URL.
 *
 * @throws HomelabError `usage` when it is neither.
 */
export function parseRepoArgument(
  text: string,
  isDirectory: (path: string) => boolean = existsSync,
): NamedUrl {
  const named = /^(?<name>[a-z0-9-]+)=(?<rest>.+)$/.exec(text)?.groups;
  const location = named?.["rest"] ?? text;
  const url = location.includes("://")
    ? location
    : isDirectory(location)
      ? `file://${resolve(location)}`
      : undefined;
  if (url === undefined || !v.is(GitUrl, url)) {
    throw new HomelabError("usage", `${JSON.stringify(text.slice(0, 200))} is not a repo`, {
      code: "BAD_ARGUMENTS",
      hint: "give an https://, ssh:// or file:/// URL, or the path of a git checkout; NAME=URL names it",
    });
  }
  const derived = basename(url)
    .replace(/\.git$/, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return { name: parseRepoName(named?.["name"] ?? derived), url };
}

export interface RepoDefaults {
  /** Or the remote's own default. */
  readonly branch: string | undefined;
  readonly pollSeconds: number;
  readonly environment: Environment;
  /** For repos at https. Otherwise git uses what this user has configured. */
  readonly credentials?: GitCredentials;
  /** How to read a private repo. */
  readonly accessHint: string;
}

/**
 * @throws HomelabError `usage` for what is not a repo; `unavailable` `GIT_REMOTE` when a remote does not answer
 */
export async function configureRepos(
  texts: readonly string[],
  { branch, pollSeconds, environment, credentials, accessHint }: RepoDefaults,
  signal: AbortSignal,
): Promise<Readonly<Record<RepoName, RepoSettings>>> {
  const exec = createExec();
  const repos: Record<RepoName, RepoSettings> = {};
  for (const text of texts) {
    const { name, url } = parseRepoArgument(text);
    const ask: AskRemote =
      credentials !== undefined && url.startsWith("https://")
        ? async (args) => askWithToken({ exec, url, credentials, environment }, args, signal)
        : async (args) => askAsUser(exec, environment, args, signal);
    const chosen = branch ?? (await defaultBranch({ url, accessHint }, ask, signal));
    repos[name] = v.parse(RepoSettings, { url, branch: chosen, pollSeconds });
  }
  return repos;
}

type AskRemote = (args: readonly string[]) => Promise<ExecResult>;

const timeoutMs = 30_000;

async function askAsUser(
  exec: Exec,
  environment: Environment,
  args: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult> {
  const env = {
    PATH: environment["PATH"] ?? "",
    HOME: environment["HOME"] ?? "/",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "https:ssh:file",
  };
  return exec("git", args, { signal, env, timeoutMs });
}

async function askWithToken(
  options: Omit<GitCommandOptions, "directory">,
  args: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-deploy-git-"));
  try {
    const git = createGitCommand({ ...options, directory: join(directory, "repository") });
    await git.prepare();
    return await git.ask(args, { signal, timeoutMs });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function defaultBranch(
  { url, accessHint }: { readonly url: string; readonly accessHint: string },
  ask: AskRemote,
  signal: AbortSignal,
): Promise<string> {
  const failed = (because: string): HomelabError =>
    because.includes("does not appear to be a git repository")
      ? new HomelabError("usage", `there is no git repository at ${url}`, {
          code: "BAD_ARGUMENTS",
          hint: "check the URL or the path",
        })
      : new HomelabError("unavailable", `the default branch of ${url} cannot be found out`, {
          code: "GIT_REMOTE",
          hint: `check the URL, and ${accessHint}; or name the branch with --branch`,
          cause: new Error(because),
        });
  try {
    const { exitCode, stdout, stderrTail } = await ask(["ls-remote", "--symref", "--", url, "HEAD"]);
    const found = /^ref: refs\/heads\/(?<branch>\S+)\tHEAD$/m.exec(stdout)?.groups?.["branch"];
    if (exitCode !== 0 || found === undefined) {
      // What the server says may repeat the token.
      throw failed(
        gitWords(stderrTail.replace(/^remote:.*$/gm, "")) || "the remote names no branch as its own",
      );
    }
    return found;
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof HomelabError ? error : failed(messageOf(error));
  }
}
