// A repo with a flake that has another one's as its input `servers`, as a git repository of its own.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseCommit, type Commit } from "../../src/protocol/names.ts";
import type { ThrowAwayStore } from "./nix-store.ts";

const run = promisify(execFile);

export interface Downstream {
  /** Bare; its branch is `master`. */
  readonly remote: string;
  readonly url: string;
  /** Changes files and pushes; the lock stays as it is. */
  commit(files: Readonly<Record<string, string>>): Promise<Commit>;
}

export interface DownstreamOptions {
  readonly store: ThrowAwayStore;
  /** Where its directories are made. */
  readonly directory: string;
  /** Of the flake that it has as an input, as Nix fetches it. */
  readonly upstream: string;
  /** Its outputs: the value of `outputs`, with the input as `servers`. */
  readonly outputs: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** Locked to what the other flake is now. */
export async function createDownstream({
  store,
  directory,
  upstream,
  outputs,
  files = {},
}: DownstreamOptions): Promise<Downstream> {
  const [remote, work] = [join(directory, "downstream.git"), join(directory, "downstream")];
  const git = async (...args: string[]): Promise<string> => {
    const env = {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "gil",
      GIT_AUTHOR_EMAIL: "gil@homelab.invalid",
      GIT_COMMITTER_NAME: "gil",
      GIT_COMMITTER_EMAIL: "gil@homelab.invalid",
    };
    return (await run("git", args, { env, cwd: directory })).stdout.trim();
  };
  async function commit(changed: Readonly<Record<string, string>>): Promise<Commit> {
    for (const [path, text] of Object.entries(changed)) await writeFile(join(work, path), text);
    await git("-C", work, "add", "--all");
    await git("-C", work, "commit", "--quiet", "--allow-empty", "--message", "Change");
    await git("-C", work, "push", "--quiet", "--force", remote, "master");
    return parseCommit(await git("-C", work, "rev-parse", "HEAD"));
  }
  await mkdir(work, { recursive: true });
  await git("init", "--quiet", "--bare", "--initial-branch=master", remote);
  await git("-C", work, "init", "--quiet", "--initial-branch=master");
  await commit({ "flake.nix": `{ inputs.servers.url = "${upstream}"; outputs = ${outputs}; }\n`, ...files });
  await store.run("nix", "flake", "lock", `git+file://${work}`);
  await commit({});
  return { remote, url: `file://${remote}`, commit };
}
