// Whether the git inputs of the configured flakes can be read, with what Nix itself signs in with.
import { join } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";
import type { RepoSettings } from "../../config/repo-schema.ts";
import type { Config } from "../../config/schema.ts";
import { createGitCommand } from "../../git/git-command.ts";
import { readBranchFile } from "../../git/read-branch-file.ts";
import { remoteError } from "../../git/remote-error.ts";
import { withInputAccess, type OpenInputs } from "../../nix/input-access.ts";
import { parseFlakeLock, type FlakeLock } from "../../nix/lock/flake-lock.ts";
import { nixEnvironment, prepareNixDirectory } from "../../nix/nix-environment.ts";
import { deniedHint } from "../../nix/words/input-access.ts";
import type { ExecResult } from "../../process/exec.ts";
import { parseRepoName } from "../../protocol/names.ts";
import { gitAccess } from "../../wiring/git-access.ts";
import { createInputAccess } from "../../wiring/input-access.ts";
import { lockPathOf } from "../../wiring/open-repository.ts";
import type { RemoteParts } from "./check-remotes.ts";
import { findingOf, ok, unknown, type Finding } from "./finding.ts";

const timeoutMs = 30_000;
/** Somebody waits for the answer. */
const mostInputs = 40;

export interface GitInput {
  /** The key of its node in the lock. */
  readonly name: string;
  readonly url: string;
}

/** Each repository once. */
export function gitInputs({ nodes }: Pick<FlakeLock, "nodes">): readonly GitInput[] {
  const byUrl = new Map<string, string>();
  for (const [name, { locked }] of Object.entries(nodes)) {
    if (locked?.type !== "git" || locked.url === undefined) continue;
    if (!byUrl.has(locked.url)) byUrl.set(locked.url, name);
  }
  return [...byUrl].map(([url, name]) => ({ name, url }));
}

/** Other checks report why a repo or its lock cannot be read. */
export async function checkInputs(
  config: Pick<Config, "repos" | "inputs">,
  parts: RemoteParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [name, settings] of Object.entries(config.repos)) {
    const inputs = await inputsOf(name, settings, parts, signal);
    if (inputs.length === 0) continue;
    try {
      const tools = { exec: parts.exec, ...(await openInputs(config, parts)) };
      const asked = inputs.slice(0, mostInputs);
      findings.push(...(await Promise.all(asked.map(async (input) => tryInput(name, input, tools, signal)))));
      if (asked.length < inputs.length) findings.push(tooMany(name, inputs.length - asked.length));
    } catch (error) {
      signal.throwIfAborted();
      findings.push(findingOf(`inputs of ${name}`, error));
    }
  }
  return findings;
}

const tooMany = (repo: string, count: number): Finding =>
  unknown(`inputs of ${repo}`, `${count} more git inputs were not tried`, "try them with git ls-remote");

async function inputsOf(
  name: string,
  settings: RepoSettings,
  { exec, environment, directory }: RemoteParts,
  signal: AbortSignal,
): Promise<readonly GitInput[]> {
  try {
    const access = gitAccess(parseRepoName(name), settings, directory, environment);
    const at = join(directory, "locks", `${name}.git`);
    const git = createGitCommand({ ...access, credentials: access.credentials ?? {}, exec, directory: at });
    const file = { url: access.url, directory: at, branch: settings.branch, path: lockPathOf(settings) };
    const text = await readBranchFile(git, file, signal);
    return text === undefined ? [] : gitInputs(parseFlakeLock(text));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HomelabError) return [];
    throw error;
  }
}

interface InputTools extends Pick<RemoteParts, "exec">, Pick<OpenInputs, "clean"> {
  /** The environment of the git that Nix starts for an evaluation. */
  readonly env: Readonly<Record<string, string>>;
}

async function openInputs(
  config: Pick<Config, "repos" | "inputs">,
  { environment, directory }: RemoteParts,
): Promise<Omit<InputTools, "exec">> {
  const nixDirectory = join(directory, "nix");
  await prepareNixDirectory(nixDirectory);
  const opened = await createInputAccess({ config, stateDirectory: directory, environment }).open([]);
  const env = withInputAccess(nixEnvironment(environment, nixDirectory), opened);
  return { env, clean: (text) => opened.clean(text) };
}

async function tryInput(
  repo: string,
  { name, url }: GitInput,
  { exec, env, clean }: InputTools,
  signal: AbortSignal,
): Promise<Finding> {
  const check = `input ${plainText(name)} of ${repo}`;
  const result = await exec("git", ["ls-remote", "--", url, "HEAD"], { env, cwd: "/", signal, timeoutMs });
  const finding = judgeInput(check, url, result);
  return { ...finding, message: clean(finding.message) };
}

export function judgeInput(check: string, url: string, result: ExecResult): Finding {
  if (result.exitCode === 0 && !result.timedOut) return ok(check, `${plainText(url)} can be read`);
  const error = remoteError({ url: plainText(url), result, timeoutMs, secrets: [] });
  return { ...findingOf(check, error), hint: error.kind === "refused" ? deniedHint : error.hint };
}
