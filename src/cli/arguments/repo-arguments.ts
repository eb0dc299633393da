// `--repo` of `up`: from what a person types to a configured repo.
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import * as v from "valibot";
import { HomelabError, messageOf } from "../../base/errors.ts";
import { GitUrl, RepoSettings } from "../../config/schema.ts";
import { createExec } from "../../process/create-exec.ts";
import type { Exec } from "../../process/exec.ts";
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
}

/**
 * @throws HomelabError `usage` for what is not a repo; `unavailable` `GIT_REMOTE` when a remote does not answer
 */
export async function configureRepos(
  texts: readonly string[],
  { branch, pollSeconds, environment }: RepoDefaults,
  signal: AbortSignal,
): Promise<Readonly<Record<RepoName, RepoSettings>>> {
  const exec = createExec();
  const repos: Record<RepoName, RepoSettings> = {};
  for (const text of texts) {
    const { name, url } = parseRepoArgument(text);
    const chosen = branch ?? (await defaultBranch(url, exec, environment, signal));
    repos[name] = v.parse(RepoSettings, { url, branch: chosen, pollSeconds });
  }
  return repos;
}

async function defaultBranch(
  url: string,
  exec: Exec,
  environment: Environment,
  signal: AbortSignal,
): Promise<string> {
  const env = {
    PATH: environment["PATH"] ?? "",
    HOME: environment["HOME"] ?? "/",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "https:ssh:file",
  };
  const failed = (because: string): HomelabError =>
    new HomelabError("unavailable", `the default branch of ${url} cannot be found out`, {
      code: "GIT_REMOTE",
      hint: "check the URL, or name the branch with --branch",
      cause: new Error(because),
    });
  try {
    const { exitCode, stdout, stderrTail } = await exec("git", ["ls-remote", "--symref", "--", url, "HEAD"], {
      signal,
      env,
      timeoutMs: 30_000,
    });
    const found = /^ref: refs\/heads\/(?<branch>\S+)\tHEAD$/m.exec(stdout)?.groups?.["branch"];
    if (exitCode !== 0 || found === undefined) throw failed(stderrTail.trim().split("\n").at(-1) ?? "");
    return found;
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof HomelabError ? error : failed(messageOf(error));
  }
}
