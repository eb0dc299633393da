import { dirname, join } from "node:path";
import { makeDirectory } from "../base/files/make-directory.ts";
import { HomelabError } from "../base/errors.ts";
import { replaceFile } from "../base/files/replace-file.ts";
import { proxyVariables } from "../base/proxy-variables.ts";
import type { Exec, ExecResult } from "../process/exec.ts";
import { objectChecks } from "./object-checks.ts";
import { serverOf, signInEnvironment, writeSignInPrograms, type GitCredentials } from "./sign-in-programs.ts";

export interface GitCommandOptions {
  readonly exec: Exec;
  /** The URL of the remote: its scheme is the only transport that git may use. */
  readonly url: string;
  /** Absolute path of the bare repository. Beside it `<directory>.home` is ours as well. */
  readonly directory: string;
  readonly credentials: GitCredentials;
  /** Whether a local remote may belong to another user than ours, which git refuses otherwise. */
  readonly allowOtherOwner?: boolean;
  /** `PATH` with git, ssh, flock and coreutils; of the rest only `inheritedVariables` and those of proxies are used. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  /** The time limit in milliseconds of the whole call; a write waits within it for others that write. */
  readonly timeoutMs: number;
  /** Beside git's own: `GIT_INDEX_FILE`, an author. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The maximum size in bytes of a write: no file becomes larger; git ends with an error instead. */
  readonly maxFileBytes?: number;
}

/** Git on one bare repository. A non-zero exit code is a fact that the caller judges. */
export interface GitCommand {
  /** For what needs no repository. */
  ask(args: readonly string[], options: RunOptions): Promise<ExecResult>;
  /** For what changes nothing in the repository. */
  read(args: readonly string[], options: RunOptions): Promise<ExecResult>;
  /** For what changes it: at most one at a time, over all processes of this machine. */
  write(args: readonly string[], options: RunOptions): Promise<ExecResult>;
  /** Deletes paths, while nobody writes. */
  remove(paths: readonly string[], options: RunOptions): Promise<void>;
  /** Makes the files that git needs outside of the repository. */
  prepare(): Promise<void>;
}

/** What a program that speaks https or ssh may need of the environment that we were started in. */
export const inheritedVariables = [
  "PATH",
  "SSH_AUTH_SOCK",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "GIT_SSL_CAINFO",
] as const;

const settings = {
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  // A power cut must not leave empty refs behind.
  "core.fsync": "all",
  "protocol.ext.allow": "never",
  // A redirect could take our token to another server.
  "http.followRedirects": "false",
  "http.lowSpeedLimit": "1000",
  "http.lowSpeedTime": "30",
  ...objectChecks,
  "fetch.recurseSubmodules": "false",
  "submodule.recurse": "false",
  "maintenance.auto": "false",
  // Refs stay files of their own: their times say when a commit was last used.
  "gc.packRefs": "false",
  "gc.autoDetach": "false",
};

const settingArguments = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);

/** This git meets our copy, whose owner is checked when it is opened, and the one remote that was configured. */
const trust = "[safe]\n\tdirectory = *\n";
const trustFile = "gitconfig";

/** What flock gives up before the whole call is over, so that it can say why. */
const lockMarginSeconds = 2;
/** What flock ends with when it waited in vain; git uses 1, 2 and 128 and above. */
const lockBusyExitCode = 75;

export function createGitCommand({
  exec,
  url,
  directory,
  credentials,
  allowOtherOwner = false,
  environment,
}: GitCommandOptions): GitCommand {
  const home = `${directory}.home`;
  const env = {
    ...gitEnvironment({ url, home, credentials, environment }),
    // Git starts another git in a local remote, which gets no setting of a command line.
    ...(allowOtherOwner && { GIT_CONFIG_GLOBAL: join(home, trustFile) }),
  };
  const gitArguments = [...settingArguments, `--git-dir=${directory}`];

  /**
   * flock(1) becomes the program and leaves it the lock, which the kernel frees when the last process that holds
   * it is gone. So no crash leaves the lock behind, and none of git's children outlives it unnoticed.
   */
  async function locked(
    file: string,
    args: readonly string[],
    { signal, timeoutMs, variables }: RunOptions,
  ): Promise<ExecResult> {
    const lockWaitSeconds = Math.max(1, Math.floor(timeoutMs / 1000) - lockMarginSeconds);
    const lock = [
      "--no-fork",
      "--timeout",
      `${lockWaitSeconds}`,
      "--conflict-exit-code",
      `${lockBusyExitCode}`,
    ];
    const result = await exec("flock", [...lock, "--", join(home, "lock"), file, ...args], {
      signal,
      env: { ...env, ...variables },
      cwd: home,
      timeoutMs,
    });
    if (result.exitCode === lockBusyExitCode) {
      throw new HomelabError("unavailable", `the mirror ${directory} is in use by another process`, {
        code: "GIT_MIRROR",
        hint: "it is free again as soon as that process has fetched",
      });
    }
    return result;
  }

  return {
    ask: (args, { signal, timeoutMs }) =>
      exec("git", [...settingArguments, ...args], { signal, env, cwd: home, timeoutMs }),
    read: (args, { signal, timeoutMs }) =>
      exec("git", [...gitArguments, ...args], { signal, env, cwd: home, timeoutMs }),
    write: (args, options) => {
      const { maxFileBytes } = options;
      if (maxFileBytes === undefined) return locked("git", [...gitArguments, ...args], options);
      // prlimit(1) of util-linux, as flock is.
      return locked("prlimit", [`--fsize=${maxFileBytes}`, "--", "git", ...gitArguments, ...args], options);
    },
    remove: async (paths, options) => {
      const result = await locked("rm", ["-rf", "--", ...paths], options);
      if (result.exitCode !== 0) {
        throw new HomelabError(
          "unavailable",
          `cannot delete from ${directory}: ${result.stderrTail.trim()}`,
          {
            code: "GIT_MIRROR",
          },
        );
      }
    },
    prepare: async () => {
      await makeDirectory(dirname(directory), { mode: 0o700 });
      await writeSignInPrograms(home);
      if (allowOtherOwner) await replaceFile(join(home, trustFile), trust, { mode: 0o600 });
    },
  };
}

interface EnvironmentOptions extends Pick<GitCommandOptions, "url" | "credentials" | "environment"> {
  readonly home: string;
}

/**
 * Git's whole environment: no configuration of the user or the system, nobody to ask, one transport.
 *
 * @throws HomelabError `config` with code `BAD_CONFIG` for a URL that is not `https:`, `ssh:` or `file:`.
 */
export function gitEnvironment({
  url,
  home,
  credentials,
  environment,
}: EnvironmentOptions): Record<string, string> {
  const scheme = /^(?<scheme>https|ssh|file):\/\//.exec(url)?.groups?.["scheme"];
  if (scheme === undefined) {
    throw new HomelabError("config", "a repo's URL must begin with https://, ssh:// or file://", {
      code: "BAD_CONFIG",
    });
  }
  const server = serverOf(url);
  const inherited = inheritedVariables.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(inherited),
    ...proxyVariables(environment),
    HOME: home,
    LC_ALL: "C",
    GIT_ALLOW_PROTOCOL: scheme,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    // Where no repository is named, none around our directories is found.
    GIT_CEILING_DIRECTORIES: dirname(home),
    // Git 3 will have other defaults, which Git 2 and Nix cannot read.
    GIT_DEFAULT_HASH: "sha1",
    GIT_DEFAULT_REF_FORMAT: "files",
    ...signInEnvironment(home, server === undefined ? [] : [{ server, credentials }]),
  };
}
