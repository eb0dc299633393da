// Our side of a mirror: the bare repository on this machine.
import { glob, readdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { BranchName, Commit } from "../protocol/names.ts";
import type { ExecResult } from "../process/exec.ts";
import type { GitCommand } from "./git-command.ts";
import { gitWords } from "./remote-error.ts";

/** Every commit that was asked for has a ref here, so that no forced push and no collection takes it away. */
const usedRefs = "refs/homelab-deploy";

const localTimeoutMs = 120_000;
const collectTimeoutMs = 600_000;
/** In the arguments of one call. */
const mostHashes = 2000;

export interface BareRepositoryOptions {
  readonly git: GitCommand;
  readonly directory: string;
  /** How many of the requested commits are kept; the last used ones stay. */
  readonly keptCommits: number;
  readonly log: Log;
}

export interface BareRepository {
  /** Absolute path. */
  readonly directory: string;
  /** Prepares it: creates it, removes what a killed git left behind, or recreates it if it is broken. */
  open(signal: AbortSignal): Promise<void>;
  /** Whether git can read all that its refs need. */
  isIntact(signal: AbortSignal): Promise<boolean>;
  /** Deletes everything and creates it empty. */
  startAnew(signal: AbortSignal): Promise<void>;
  /**
   * Whether the commit is here with all that it stands on. A fetch from a shallow clone leaves commits behind that no
   * ref holds, and whose parents are not here.
   */
  has(commit: Commit, signal: AbortSignal): Promise<boolean>;
  /** The commits among these that are here. */
  present(commits: readonly Commit[], signal: AbortSignal): Promise<ReadonlySet<string>>;
  branchTip(branch: BranchName, signal: AbortSignal): Promise<string | undefined>;
  /** Forgets all branches but these. One that is gone can be in the way: `feature` of `feature/one`. */
  keepBranches(kept: ReadonlySet<string>, signal: AbortSignal): Promise<void>;
  /** Which packs of objects there are, with their sizes and times: changes with what is damaged or collected. */
  packs(): Promise<string>;
  /** Notes that a commit is in use that was in use before; false when it was not, or is forgotten. */
  touch(commit: Commit): Promise<boolean>;
  /** Notes that the commit is in use. */
  keep(commit: Commit, signal: AbortSignal): Promise<void>;
  /** After a fetch: HEAD names a branch that exists, and what many fetches left lying about is put in order. */
  tidy(signal: AbortSignal): Promise<void>;
}

export function createBareRepository({
  git,
  directory,
  keptCommits,
  log,
}: BareRepositoryOptions): BareRepository {
  const creation = ["init", "--bare", "--quiet", "--template=", "--", directory];
  const options = (signal: AbortSignal) => ({ signal, timeoutMs: localTimeoutMs });

  async function write(args: readonly string[], signal: AbortSignal): Promise<void> {
    const result = await git.write(args, options(signal));
    if (result.exitCode !== 0) throw cannotWrite(result);
  }

  function cannotWrite({ stderrTail }: ExecResult): HomelabError {
    return new HomelabError("unavailable", `git cannot write to ${directory}: ${gitWords(stderrTail)}`, {
      code: "GIT_MIRROR",
      hint: "check the disk, and that the directory belongs to the user that runs this",
    });
  }

  async function isIntact(signal: AbortSignal): Promise<boolean> {
    const result = await git.read(
      ["fsck", "--connectivity-only", "--no-dangling", "--no-progress"],
      options(signal),
    );
    // A check that was ended before it had a result says nothing against the repository.
    return result.exitCode === 0 || result.exitCode === undefined || result.timedOut;
  }

  async function startAnew(signal: AbortSignal): Promise<void> {
    await git.remove([directory], options(signal));
    await write(creation, signal);
  }

  async function removeStaleLocks(signal: AbortSignal): Promise<void> {
    // Writers hold the lock next to the repository, and so does `remove`: whatever is still there then has no owner.
    const found = await Array.fromAsync(glob("{*,{refs,objects}/**/*}.lock", { cwd: directory }));
    if (found.length === 0) return;
    log.warn({ directory, locks: found }, "removed locks that a killed git left in a mirror");
    await git.remove(
      found.map((path) => join(directory, path)),
      options(signal),
    );
  }

  async function pruneUsed(signal: AbortSignal): Promise<void> {
    const names = await readdir(join(directory, usedRefs));
    if (names.length <= keptCommits) return;
    const dated = await Promise.all(
      names.map(async (name) => ({ name, time: await modified(join(directory, usedRefs, name)) })),
    );
    const oldest = dated.toSorted((a, b) => a.time - b.time).slice(0, names.length - keptCommits);
    for (const { name } of oldest) await write(["update-ref", "-d", `${usedRefs}/${name}`], signal);
  }

  async function touch(commit: Commit): Promise<boolean> {
    const now = new Date();
    return utimes(join(directory, usedRefs, commit), now, now).then(
      () => true,
      () => false,
    );
  }

  return {
    directory,
    isIntact,
    startAnew,

    async open(signal) {
      await git.prepare();
      const owner = await ownerOf(directory);
      const us = process.getuid?.();
      if (owner !== undefined && us !== undefined && owner !== us) {
        throw new HomelabError(
          "config",
          `the mirror ${directory} belongs to the user ${owner}, not to this one (${us})`,
          {
            code: "GIT_MIRROR",
            hint: "run this as that user, or delete the directory",
          },
        );
      }
      if (owner !== undefined) await removeStaleLocks(signal);
      // Harmless for a repository that exists; and who comes while another process makes it waits for its end.
      const created = await git.write(creation, options(signal));
      if (await isIntact(signal)) {
        // A full disk, for one: nothing that a new start would cure.
        if (created.exitCode !== 0) throw cannotWrite(created);
        return;
      }
      log.warn({ directory }, "this mirror is broken and is fetched again");
      await startAnew(signal);
    },

    async has(commit, signal) {
      // What git itself asks after a fetch. What a ref holds already is not walked again.
      const question = ["rev-list", "--quiet", "--objects", "--not", "--all", "--not", "--end-of-options"];
      const result = await git.read([...question, `${commit}^{commit}`, "--"], options(signal));
      return result.exitCode === 0;
    },

    async present(commits, signal) {
      // Not what a file beside the objects says about them.
      const list = ["-c", "core.commitGraph=false", "rev-list", "--no-walk", "--ignore-missing"];
      const found = new Set<string>();
      for (let index = 0; index < commits.length; index += mostHashes) {
        const some = commits.slice(index, index + mostHashes);
        const result = await git.read([...list, "--end-of-options", ...some, "--"], options(signal));
        for (const commit of result.stdout.split("\n")) if (commit !== "") found.add(commit);
      }
      return found;
    },

    async branchTip(branch, signal) {
      const ref = `refs/heads/${branch}^{commit}`;
      const result = await git.read(
        ["rev-parse", "--verify", "--quiet", "--end-of-options", ref],
        options(signal),
      );
      return result.exitCode === 0 ? result.stdout.trim() : undefined;
    },

    async keepBranches(kept, signal) {
      const listed = await git.read(["for-each-ref", "--format=%(refname)", "refs/heads/"], options(signal));
      const branches = listed.stdout.split("\n").filter((ref) => ref !== "");
      for (const ref of branches.filter((each) => !kept.has(each.slice("refs/heads/".length)))) {
        // One that cannot be deleted, or not any more, is in nobody's way, or the fetch says so.
        await git.write(["update-ref", "-d", ref], options(signal));
      }
    },

    touch,

    async packs() {
      const place = join(directory, "objects/pack");
      const names: readonly string[] = await readdir(place).catch(() => []);
      const facts = names.toSorted().map(async (name) => {
        const found = await stat(join(place, name)).catch(() => undefined);
        return `${name} ${found?.size} ${found?.mtimeMs}`;
      });
      return (await Promise.all(facts)).join("\n");
    },

    async keep(commit, signal) {
      if (await touch(commit)) return;
      await write(["update-ref", `${usedRefs}/${commit}`, commit], signal);
      await pruneUsed(signal);
    },

    async tidy(signal) {
      const head = await git.read(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], options(signal));
      if (head.exitCode !== 0) {
        const format = ["--format=%(refname)", "--count=1", "refs/heads/"];
        const branches = await git.read(["for-each-ref", ...format], options(signal));
        const first = branches.stdout.trim();
        if (first !== "") await write(["symbolic-ref", "HEAD", first], signal);
      }
      const result = await git.write(["gc", "--auto", "--quiet"], { signal, timeoutMs: collectTimeoutMs });
      if (result.exitCode !== 0) {
        log.warn({ directory, git: gitWords(result.stderrTail) }, "git could not put a mirror in order");
      }
    },
  };
}

async function ownerOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.uid;
}

/** Milliseconds; 0 for what went in the meantime. */
async function modified(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.mtimeMs ?? 0;
}
