// Every version of a file on a branch of a bare repository, by git.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { gitEnvironment } from "../support/git-remote.ts";

const run = promisify(execFile);
const noBlob = /^0+$/;

/** A commit of the branch that changes the lock, compared with its first parent. */
export interface LockChange {
  readonly commit: string;
  /** Blobs; undefined where the file is not there. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** What the flake declares changed in the same commit. */
  readonly changesFlake: boolean;
}

export interface LockHistory extends AsyncDisposable {
  readonly name: string;
  readonly path: string;
  /** Oldest first. */
  readonly changes: readonly LockChange[];
  /** Undefined for a blob that the copy of the repository does not have. */
  readonly read: (blob: string) => Promise<string | undefined>;
}

/** @throws Error when git cannot read it. */
export async function openLockHistory(
  repository: string,
  { path, branch }: { readonly path: string; readonly branch: string },
): Promise<LockHistory> {
  const flake = path.replace(/flake\.lock$/, "flake.nix");
  const git = async (...args: readonly string[]): Promise<string> => {
    const options = { env: gitEnvironment, maxBuffer: 256 * 1024 * 1024 };
    return (await run("git", ["-C", repository, ...args], options)).stdout;
  };
  const tip = (
    await git("rev-parse", "--verify", "--quiet", "--end-of-options", `${branch}^{commit}`)
  ).trim();
  const log = await git(
    "log",
    "--first-parent",
    "--diff-merges=first-parent",
    "--reverse",
    "--raw",
    "--no-abbrev",
    "--no-renames",
    "-z",
    "--format=%x01%H",
    tip,
    "--",
    `:(literal)${path}`,
    `:(literal)${flake}`,
  );
  const changes = log.split("\u0001").flatMap((text) => parseChange(text, path));
  const blobs = openBlobs(repository);
  return { name: repository, path, changes, ...blobs };
}

/** A commit's hash, then for each file `:<modes> <blob> <blob> <letter>` and its path, each ended by a NUL. */
function parseChange(text: string, path: string): readonly LockChange[] {
  const [commit = "", ...fields] = text.split("\0").map((field) => field.trim());
  const files = new Map<string, readonly string[]>();
  for (let index = 0; index + 1 < fields.length; index++) {
    const field = fields[index] ?? "";
    if (field.startsWith(":")) files.set(fields[index + 1] ?? "", field.split(" "));
  }
  const lock = files.get(path);
  if (lock === undefined) return [];
  const blobOf = (blob = "0"): string | undefined => (noBlob.test(blob) ? undefined : blob);
  return [{ commit, before: blobOf(lock[2]), after: blobOf(lock[3]), changesFlake: files.size > 1 }];
}

/** One git for all of them: there can be thousands. */
function openBlobs(repository: string): Pick<LockHistory, "read"> & AsyncDisposable {
  const child = spawn("git", ["-C", repository, "cat-file", "--batch"], {
    env: { ...gitEnvironment, GIT_NO_LAZY_FETCH: "1" },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const chunks = child.stdout[Symbol.asyncIterator]();
  let buffered = Buffer.alloc(0);
  async function take(isEnough: () => number): Promise<Buffer> {
    for (let length = isEnough(); ; length = isEnough()) {
      if (length > 0 && buffered.length >= length) {
        const taken = buffered.subarray(0, length);
        buffered = buffered.subarray(length);
        return taken;
      }
      const next = await chunks.next();
      if (next.done === true) throw new Error("git cat-file ended");
      buffered = Buffer.concat([buffered, next.value as Buffer]);
    }
  }
  return {
    async read(blob) {
      child.stdin.write(`${blob}\n`);
      const header = (await take(() => buffered.indexOf("\n") + 1)).toString();
      const size = / blob (?<size>\d+)\n$/.exec(header)?.groups?.["size"];
      if (size === undefined) return undefined;
      const content = await take(() => Number(size) + 1);
      return content.subarray(0, -1).toString("utf8");
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.stdin.end();
      child.stdout.resume();
      await ended;
    },
  };
}
