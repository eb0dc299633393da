// A real git remote on disk, and somebody who pushes to it.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Commit, parseCommit } from "../../src/protocol/names.ts";

const run = promisify(execFile);

export const gitEnvironment = {
  PATH: process.env["PATH"] ?? "",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.invalid",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.invalid",
};

export interface GitRemote {
  /** Absolute path of the bare repository. */
  readonly path: string;
  readonly url: string;
  /** Commits on a branch (default `main`) and pushes it. `amend` replaces the last commit: a forced push. */
  commit(options?: {
    readonly branch?: string;
    readonly files?: Readonly<Record<string, string>>;
    readonly amend?: boolean;
  }): Promise<Commit>;
  /** Runs git in the bare repository and gives its trimmed output. */
  git(...args: readonly string[]): Promise<string>;
}

/** Makes an empty remote below an existing directory. */
export async function createGitRemote(directory: string): Promise<GitRemote> {
  const path = join(directory, "remote.git");
  const work = join(directory, "work");
  let commits = 0;
  const gitIn = async (cwd: string, args: readonly string[]): Promise<string> => {
    const { stdout } = await run("git", [...args], { cwd, env: gitEnvironment });
    return stdout.trim();
  };
  await mkdir(directory, { recursive: true });
  await gitIn(directory, ["init", "--quiet", "--bare", "--initial-branch=main", path]);
  await gitIn(directory, ["init", "--quiet", "--initial-branch=main", work]);

  return {
    path,
    url: `file://${path}`,
    git: (...args) => gitIn(path, args),
    async commit({ branch = "main", files = {}, amend = false } = {}) {
      commits++;
      const known = await gitIn(work, ["branch", "--list", "--format=%(refname:short)", branch]);
      const current = await gitIn(work, ["symbolic-ref", "--short", "HEAD"]);
      if (current !== branch)
        await gitIn(work, ["checkout", "--quiet", ...(known === "" ? ["-b"] : []), branch]);
      for (const [name, content] of Object.entries({ number: `${commits}\n`, ...files })) {
        await writeFile(join(work, name), content);
      }
      await gitIn(work, ["add", "--all"]);
      const options = amend ? ["--amend"] : [];
      await gitIn(work, ["commit", "--quiet", ...options, "--message", `Commit ${commits}`]);
      await gitIn(work, ["push", "--quiet", "--force", path, `HEAD:refs/heads/${branch}`]);
      return parseCommit(await gitIn(work, ["rev-parse", "HEAD"]));
    },
  };
}
