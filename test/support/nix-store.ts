import { execFile } from "node:child_process";
import { appendFile, chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A Nix store of its own in a temporary directory; nothing of it touches /nix. */
export interface ThrowAwayStore extends AsyncDisposable {
  /** Everything below is in here, and there is room for the test's own files. */
  readonly directory: string;
  readonly storeDirectory: string;
  readonly stateDirectory: string;
  readonly logDirectory: string;
  /**
   * Which store Nix uses, for `createNix({ environment })`: only what is about the store, and PATH, with `bin` of the
   * directory in front.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** That of every program that `run` runs. */
  readonly wholeEnvironment: Readonly<Record<string, string>>;
  /** Runs a program on this store with a whole environment, and gives its stdout. Rejects when it fails. */
  run(file: string, ...args: string[]): Promise<string>;
  /** More lines for its nix.conf. */
  configure(lines: string): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Each store has its own XDG_CACHE_HOME: Nix's fetcher cache holds store paths, and with that of another store
 * evaluations fail with "path ... is not in the Nix store".
 *
 * @param settings more lines for its nix.conf, such as `{ "max-jobs": "1" }`
 */
export async function createThrowAwayStore(
  settings: Readonly<Record<string, string>> = {},
): Promise<ThrowAwayStore> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-store-"));
  const at = (name: string): string => join(directory, name);
  for (const name of ["conf", "cache", "data", "state", "config", "home", "builds"]) await mkdir(at(name));
  const conf = {
    "experimental-features": "nix-command flakes",
    // Neither is possible for an unprivileged test in a container.
    sandbox: "false",
    "build-users-group": "",
    substituters: "",
    "flake-registry": "",
    "connect-timeout": "2",
    "download-attempts": "1",
    ...settings,
  };
  const lines = Object.entries(conf).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(join(at("conf"), "nix.conf"), lines.join(""));

  const environment = {
    PATH: `${at("bin")}:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
    NIX_CONF_DIR: at("conf"),
    NIX_STORE_DIR: at("store"),
    NIX_STATE_DIR: at("var"),
    NIX_LOG_DIR: at("log"),
    NIX_LOCALSTATE_DIR: at("lstate"),
    TMPDIR: at("builds"),
  };
  const wholeEnvironment = {
    ...environment,
    HOME: at("home"),
    XDG_CACHE_HOME: at("cache"),
    XDG_DATA_HOME: at("data"),
    XDG_STATE_HOME: at("state"),
    XDG_CONFIG_HOME: at("config"),
    NIX_USER_CONF_FILES: "",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
  };
  // Two first processes of Nix on a new store would both make its database and its links, and one of them could fail.
  await run("nix-store", ["--init"], { env: { ...wholeEnvironment, NIX_REMOTE: "local" } });
  const remove = async (): Promise<void> => removeStore(directory);
  return {
    directory,
    storeDirectory: environment.NIX_STORE_DIR,
    stateDirectory: environment.NIX_STATE_DIR,
    logDirectory: environment.NIX_LOG_DIR,
    environment,
    wholeEnvironment,
    async run(file, ...args) {
      const options = { env: wholeEnvironment, maxBuffer: 64 * 1024 * 1024 };
      return (await run(file, args, options)).stdout;
    },
    configure: async (more) => appendFile(join(at("conf"), "nix.conf"), more),
    remove,
    [Symbol.asyncDispose]: remove,
  };
}

/** Store paths are read-only, directories too: nothing can be removed from them until they are writable again. */
async function removeStore(directory: string): Promise<void> {
  await makeWritable(directory);
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

async function makeWritable(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(directory, entry.name));
  }
}
