import { join } from "node:path";
import { makeDirectory } from "../base/files/make-directory.ts";
import { proxyVariables } from "../base/proxy-variables.ts";

/** The part of our own environment that Nix gets: where its store is, how it reaches the network, and PATH. */
const passedOn = [
  "PATH",
  "TMPDIR",
  "NIX_STORE_DIR",
  "NIX_STATE_DIR",
  "NIX_LOG_DIR",
  "NIX_LOCALSTATE_DIR",
  "NIX_CONF_DIR",
  "NIX_REMOTE",
  "NIX_DAEMON_SOCKET_PATH",
  "NIX_SSL_CERT_FILE",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "SSH_AUTH_SOCK",
  "GIT_SSH_COMMAND",
  "GIT_SSL_CAINFO",
  // For s3:// substituters.
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_PROFILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_CONFIG_FILE",
  "AWS_REGION",
  "AWS_DEFAULT_REGION",
] as const;

/**
 * For remote builders and stores. A machine that lost its power says nothing more, and TCP alone notices that after hours:
 * Nix would wait for it as long. Nix splits the variable at spaces.
 */
const sshOptions = "-oConnectTimeout=30 -oServerAliveInterval=15 -oServerAliveCountMax=4";

export type Environment = Readonly<Record<string, string>>;

/**
 * The whole environment of every Nix process. The user's configuration and a trust that somebody gave by hand have
 * no part in it: a build gives the same result whoever starts the builder.
 *
 * HOME and the XDG directories are our own. Nix's fetcher cache is in XDG_CACHE_HOME; a remembered consent to a
 * flake's `nixConfig` (which can run programs) would be in XDG_DATA_HOME.
 *
 * @param inherited of the process or of a test; only what is about Nix's store and the network is taken
 * @param directory private to this program; `prepareNixDirectory` makes it
 */
export function nixEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
  directory: string,
): Environment {
  const kept = passedOn
    .map((name) => [name, inherited[name]] as const)
    .filter((entry): entry is [(typeof passedOn)[number], string] => entry[1] !== undefined);
  return {
    ...Object.fromEntries(kept),
    ...proxyVariables(inherited),
    LC_ALL: "C.UTF-8",
    HOME: join(directory, "home"),
    XDG_CACHE_HOME: join(directory, "cache"),
    XDG_CONFIG_HOME: join(directory, "config"),
    XDG_DATA_HOME: join(directory, "data"),
    XDG_STATE_HOME: join(directory, "state"),
    NIX_USER_CONF_FILES: "",
    NIX_SSHOPTS: inherited["NIX_SSHOPTS"] ?? sshOptions,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    // The transports of flake inputs and, with `file`, of our own mirrors; never `ext`, which runs a command.
    GIT_ALLOW_PROTOCOL: "file:git:http:https:ssh",
  };
}

/** Makes the directories that the environment names, for us alone. */
export async function prepareNixDirectory(directory: string): Promise<void> {
  for (const name of ["home", "cache", "config", "data", "state"]) {
    await makeDirectory(join(directory, name), { mode: 0o700 });
  }
}
