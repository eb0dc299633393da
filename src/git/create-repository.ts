import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HomelabError } from "../base/errors.ts";
import { parseCommit, type Commit } from "../protocol/names.ts";
import { createGitCommand, type RunOptions } from "./git-command.ts";
import { timeOfCommit } from "./commit-time.ts";
import type { CommitFacts, NewCommit, PushResult, RefChange, Repository } from "./git.ts";
import { createMirror, type MirrorOptions } from "./mirror.ts";
import type { ExecResult } from "../process/exec.ts";
import { parsePushOutput } from "./push-result.ts";
import { gitWords, remoteError } from "./remote-error.ts";
import { secretsOf } from "./sign-in-programs.ts";

const localTimeoutMs = 120_000;
const listTimeoutMs = 30_000;
const pushTimeoutMs = 120_000;
const fetchTimeoutMs = 120_000;

export interface RepositoryOptions extends MirrorOptions {
  /** The private OpenSSH key that signs the commits that are made here. */
  readonly signingKeyFile?: string;
}

/** A mirror that is also written to. It may share its directory with mirrors of other processes. */
export function createRepository(options: RepositoryOptions): Repository {
  const { exec, url, directory, credentials = {}, allowOtherOwner, environment, signingKeyFile } = options;
  const mirror = createMirror(options);
  const git = createGitCommand({ exec, url, directory, credentials, allowOtherOwner, environment });
  const home = `${directory}.home`;

  async function run(
    args: readonly string[],
    signal: AbortSignal,
    more: Partial<RunOptions> = {},
  ): Promise<string> {
    const { exitCode, stdout, stderrTail } = await git.write(args, {
      signal,
      timeoutMs: localTimeoutMs,
      ...more,
    });
    if (exitCode === 0) return stdout;
    throw new HomelabError(
      "unavailable",
      `git ${args[0] ?? ""} failed in ${directory}: ${gitWords(stderrTail)}`,
      {
        code: "GIT_MIRROR",
        hint: "check the disk, and that the directory belongs to the user that runs this",
      },
    );
  }

  async function failure(result: ExecResult, timeoutMs: number, isPush = false): Promise<HomelabError> {
    return remoteError({ url, result, timeoutMs, secrets: await secretsOf(credentials), isPush });
  }

  async function remoteRefs(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, Commit>> {
    const pattern = prefix.endsWith("/") ? `${prefix}*` : prefix;
    const result = await git.ask(["ls-remote", "--", url, pattern], { signal, timeoutMs: listTimeoutMs });
    if (result.exitCode !== 0) throw await failure(result, listTimeoutMs);
    return new Map(
      [...result.stdout.matchAll(/^(?<commit>[0-9a-f]{40})\t(?<ref>\S+)$/gm)]
        .map(({ groups }): [string, Commit] => [groups?.["ref"] ?? "", parseCommit(groups?.["commit"] ?? "")])
        // ls-remote matches the end of a ref's path too.
        .filter(([ref]) => ref.startsWith(prefix)),
    );
  }

  async function push(changes: readonly RefChange[], signal: AbortSignal): Promise<PushResult> {
    const leases = changes.map(({ ref, from }) => `--force-with-lease=${ref}:${from ?? ""}`);
    const specs = changes.map(({ ref, to }) => `${to ?? ""}:${ref}`);
    const result = await git.read(
      ["push", "--porcelain", "--atomic", "--no-verify", ...leases, "--", url, ...specs],
      { signal, timeoutMs: pushTimeoutMs },
    );
    const output = parsePushOutput(result.stdout, result.stderrTail, result.exitCode);
    if (output.type === "pushed" || output.type === "refused") return output;
    // Moved, or no answer: the remote alone knows whether it has what we wanted.
    const actual = await Promise.all(
      changes.map(async (change) => ({
        ...change,
        actual: (await remoteRefs(change.ref, signal)).get(change.ref),
      })),
    );
    if (actual.every((change) => change.actual === change.to)) return { type: "pushed" };
    if (actual.some((change) => change.actual !== change.from)) return { type: "moved" };
    throw await failure(result, pushTimeoutMs, true);
  }

  async function facts(commit: Commit, signal: AbortSignal): Promise<CommitFacts> {
    const format = "--format=%P%x00%ae%x00%ct%x00%B";
    const text = await run(["show", "--no-patch", format, "--end-of-options", commit], signal);
    const [hashes = "", authorEmail = "", seconds = "", ...message] = text.split("\0");
    const parents = hashes.split(" ").filter((parent) => parent !== "");
    const [first] = parents;
    const range = first === undefined ? [] : [first, commit];
    const changed =
      first === undefined
        ? ""
        : await run(["diff-tree", "-r", "-z", "--name-only", "--end-of-options", ...range], signal);
    return {
      parents: parents.map(parseCommit),
      authorEmail,
      committedAt: timeOfCommit(seconds),
      message: message.join("\0").trimEnd(),
      changedFiles: changed.split("\0").filter((path) => path !== ""),
    };
  }

  return {
    mirror,
    remoteRefs,
    push,
    facts,
    async readRemote(ref, signal) {
      const commit = (await remoteRefs(ref, signal)).get(ref);
      if (commit === undefined) return undefined;
      const args = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--",
        url,
      ];
      const result = await git.write([...args, `+${ref}:refs/homelab-deploy/${commit}`], {
        signal,
        timeoutMs: fetchTimeoutMs,
      });
      if (result.exitCode === 0) return { commit, facts: await facts(commit, signal) };
      // Gone, or moved on, since we asked.
      if ((await remoteRefs(ref, signal)).get(ref) !== commit) return this.readRemote(ref, signal);
      throw await failure(result, fetchTimeoutMs);
    },
    async readFile(commit, path, signal) {
      const listed = await run(["ls-tree", "-z", "--full-tree", commit, "--", path], signal);
      if (listed === "") return undefined;
      return run(["cat-file", "blob", `${commit}:${path}`], signal);
    },
    async checkOut(commit, signal) {
      const parent = await mkdtemp(join(home, "checkout-"));
      const tree = join(parent, "tree");
      const remove = async (): Promise<void> => {
        await rm(parent, { recursive: true, force: true });
        await git.write(["worktree", "prune"], {
          signal: AbortSignal.timeout(localTimeoutMs),
          timeoutMs: localTimeoutMs,
        });
      };
      try {
        await run(["worktree", "add", "--quiet", "--detach", "--", tree, commit], signal);
      } catch (error) {
        await remove();
        throw error;
      }
      return { directory: tree, [Symbol.asyncDispose]: remove };
    },
    commit: (commit, signal) => makeCommit({ home, run, signingKeyFile }, commit, signal),
    async isAncestor(ancestor, descendant, signal) {
      const args = ["merge-base", "--is-ancestor", "--end-of-options", ancestor, descendant];
      const { exitCode } = await git.read(args, { signal, timeoutMs: localTimeoutMs });
      return exitCode === 0;
    },
  };
}

interface CommitTools {
  readonly home: string;
  readonly signingKeyFile: string | undefined;
  readonly run: (args: readonly string[], signal: AbortSignal, more?: Partial<RunOptions>) => Promise<string>;
}

/** Without a checkout: an index of its own, the parent's tree with some blobs replaced, and git's plumbing. */
async function makeCommit(
  { home, run, signingKeyFile }: CommitTools,
  commit: NewCommit,
  signal: AbortSignal,
): Promise<Commit> {
  const { parent, files, message, author, date } = commit;
  const directory = await mkdtemp(join(home, "commit-"));
  const at = (name: string): string => join(directory, name);
  // With the @: git takes small numbers for something else, and refuses them.
  const when = `@${Math.floor(date.getTime() / 1000)} +0000`;
  const variables = {
    GIT_INDEX_FILE: at("index"),
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_AUTHOR_DATE: when,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: author.email,
    GIT_COMMITTER_DATE: when,
  };
  try {
    await run(["read-tree", parent], signal, { variables });
    for (const [path, content] of files) {
      await writeFile(at("content"), content);
      const blob = (await run(["hash-object", "-w", "--no-filters", "--", at("content")], signal)).trim();
      await run(["update-index", "--add", "--cacheinfo", `100644,${blob},${path}`], signal, { variables });
    }
    const tree = (await run(["write-tree"], signal, { variables })).trim();
    await writeFile(at("message"), message.endsWith("\n") ? message : `${message}\n`);
    const args = ["commit-tree", tree, "-p", parent, "-F", at("message")];
    const written =
      signingKeyFile === undefined
        ? await run(args, signal, { variables })
        : await run([...args, "-S"], signal, {
            variables: { ...variables, ...signingWith(signingKeyFile) },
          }).catch(notSigned(signingKeyFile, signal));
    const made = parseCommit(written.trim());
    // Held by the same ref that a mirror gives to each commit that is asked for.
    await run(["update-ref", `refs/homelab-deploy/${made}`, made], signal);
    return made;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Git's settings as variables. */
const signingWith = (keyFile: string): Readonly<Record<string, string>> => ({
  GIT_CONFIG_COUNT: "2",
  GIT_CONFIG_KEY_0: "gpg.format",
  GIT_CONFIG_VALUE_0: "ssh",
  GIT_CONFIG_KEY_1: "user.signingKey",
  GIT_CONFIG_VALUE_1: keyFile,
});

/** Until then git has made commits here, so it is the key. */
const notSigned =
  (keyFile: string, signal: AbortSignal) =>
  (error: unknown): never => {
    signal.throwIfAborted();
    if (!(error instanceof HomelabError)) throw error;
    throw new HomelabError("config", `a commit cannot be signed with ${keyFile}: ${error.message}`, {
      code: "COMMIT_SIGNING_KEY",
      hint: "update.signingKeyFile must be a private OpenSSH key without a passphrase that nobody else may read",
      cause: error,
    });
  };
