import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Commit, parseCommit } from "../../src/protocol/names.ts";

const run = promisify(execFile);
const sample = join(import.meta.dirname, "../fixtures/fleet/flake.nix");

/** The toggles of test/fixtures/fleet/flake.nix, which says what each does. */
export interface FleetToggles {
  readonly salt?: string;
  readonly hosts?: number;
  readonly extraHosts?: readonly string[];
  readonly shared?: number;
  readonly sharedSeconds?: number;
  readonly perHostDrvs?: number;
  readonly perHostSeconds?: number;
  readonly hostSeconds?: number;
  readonly sizeKiB?: number;
  readonly logLines?: number;
  readonly system?: string;
  readonly heavy?: { readonly ops: number; readonly cells: number };
  readonly evalFail?: Readonly<Record<string, string>>;
  readonly evalWarn?: Readonly<Record<string, string>>;
  readonly warnings?: Readonly<Record<string, readonly string[]>>;
  /** A file: builds of the mode `gate` wait until it is there. */
  readonly gate?: string;
  readonly buildFail?: Readonly<Record<string, string>>;
  readonly sharedFail?: Readonly<Record<string, string>>;
  readonly privateFail?: Readonly<Record<string, string>>;
  readonly features?: Readonly<Record<string, readonly string[]>>;
  readonly ifd?: readonly string[];
  readonly ifdFail?: readonly string[];
}

export interface CommitOptions {
  /** Default `main`; made from the current one where it is new. */
  readonly branch?: string;
  /** More files, or others in place of `flake.nix` and `fleet.json`; by their path in the repository. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The sample fleet in a git repository. */
export interface Fleet extends AsyncDisposable {
  /** A bare repository whose default branch is `main`: a remote, and with its refs for each commit also a mirror. */
  readonly bare: string;
  /** `file://` and the path of `bare`. */
  readonly url: string;
  /** Commits the fleet with these toggles, pushes it to `bare`, and gives the commit. */
  commit(toggles: FleetToggles, options?: CommitOptions): Promise<Commit>;
  remove(): Promise<void>;
}

/** @param parent where its directory is made; the system's directory for temporary files without it */
export async function createFleet(parent = tmpdir()): Promise<Fleet> {
  const directory = await mkdtemp(join(parent, "homelab-fleet-"));
  const bare = join(directory, "remote.git");
  const work = join(directory, "work");
  await git(directory, "init", "--quiet", "--bare", "--initial-branch=main", bare);
  await git(directory, "init", "--quiet", "--initial-branch=main", work);

  const remove = async (): Promise<void> => rm(directory, { recursive: true, force: true });
  return {
    bare,
    url: `file://${bare}`,
    async commit(toggles, { branch = "main", files = {} } = {}) {
      await git(work, "symbolic-ref", "HEAD", `refs/heads/${branch}`);
      await copyFile(sample, join(work, "flake.nix"));
      await writeFile(join(work, "fleet.json"), JSON.stringify(toggles));
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(work, path)), { recursive: true });
        await writeFile(join(work, path), text);
      }
      await git(work, "add", "--all");
      await git(work, "commit", "--quiet", "--allow-empty", "--message", "Change the fleet");
      const commit = parseCommit((await git(work, "rev-parse", "HEAD")).trim());
      await git(work, "push", "--quiet", bare, branch, `HEAD:refs/homelab-deploy/${commit}`);
      return commit;
    },
    remove,
    [Symbol.asyncDispose]: remove,
  };
}

async function git(directory: string, ...args: string[]): Promise<string> {
  const env = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "test",
    GIT_AUTHOR_EMAIL: "test@localhost",
    GIT_COMMITTER_NAME: "test",
    GIT_COMMITTER_EMAIL: "test@localhost",
  };
  return (await run("git", args, { cwd: directory, env })).stdout;
}
