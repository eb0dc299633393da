import type { GitCommand } from "./git-command.ts";

export interface BranchFile {
  readonly url: string;
  /** Absolute path of the bare repository that `git` is for; it can be recreated. */
  readonly directory: string;
  readonly branch: string;
  /** In the repository. */
  readonly path: string;
}

const fetchTimeoutMs = 60_000;
const localTimeoutMs = 20_000;
/** The maximum size in bytes of one commit with its files. */
const maxFetchBytes = 256 * 1024 * 1024;

/**
 * A file at the tip of a remote's branch, without its history. Undefined where there is none, and where the remote does
 * not give it.
 */
export async function readBranchFile(
  git: GitCommand,
  { url, directory, branch, path }: BranchFile,
  signal: AbortSignal,
): Promise<string | undefined> {
  const local = { signal, timeoutMs: localTimeoutMs };
  await git.prepare();
  await git.remove([directory], local);
  const created = await git.write(["init", "--bare", "--quiet", "--template=", "--", directory], local);
  if (created.exitCode !== 0) return undefined;
  const options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--depth=1"];
  const limits = { signal, timeoutMs: fetchTimeoutMs, maxFileBytes: maxFetchBytes };
  const ref = "refs/homelab-deploy/tip";
  await git.write(["fetch", ...options, "--", url, `+refs/heads/${branch}:${ref}`], limits);
  const file = await git.read(["cat-file", "blob", `${ref}:${path}`], local);
  return file.exitCode === 0 ? file.stdout : undefined;
}
