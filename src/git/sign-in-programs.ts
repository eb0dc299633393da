// Two tiny programs that git starts to sign in. They are constant text: what differs comes in environment
// variables that hold paths, so that nothing is ever quoted for a shell, and a secret is only ever in its file.
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { HomelabError } from "../base/errors.ts";
import { readIfSmall } from "../base/files/read-bounded.ts";
import { replaceFile } from "../base/files/replace-file.ts";

/** How to sign in to a remote. Paths of files, read by git or ssh when they need them. */
export interface GitCredentials {
  readonly username?: string;
  readonly tokenFile?: string;
  readonly sshKeyFile?: string;
  readonly knownHostsFile?: string;
}

// Git asks "Username for 'https://…': " and "Password for 'https://user@…': ", and takes the first line.
const askpass = `#!/bin/sh
case "$1" in
  Username*) printf '%s\\n' "$HOMELAB_DEPLOY_GIT_USERNAME" ;;
  Password*) exec cat -- "$HOMELAB_DEPLOY_GIT_TOKEN_FILE" ;;
  *) exit 1 ;;
esac
`;

const ssh = `#!/bin/sh
set -- -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 "$@"
if [ -n "\${HOMELAB_DEPLOY_SSH_KNOWN_HOSTS_FILE-}" ]; then
  set -- -o "UserKnownHostsFile=$HOMELAB_DEPLOY_SSH_KNOWN_HOSTS_FILE" -o GlobalKnownHostsFile=/dev/null "$@"
fi
if [ -n "\${HOMELAB_DEPLOY_SSH_KEY_FILE-}" ]; then
  set -- -i "$HOMELAB_DEPLOY_SSH_KEY_FILE" -o IdentitiesOnly=yes -o IdentityAgent=none "$@"
fi
exec ssh "$@"
`;

// ssh expands %, $ and ~ in these options and splits them at spaces (ssh_config(5), TOKENS).
const plainPath = /^\/[A-Za-z0-9_./+@=,:-]*$/;

/**
 * The variables that tell git how to sign in.
 *
 * @param directory of the programs, see `writeSignInPrograms`.
 * @throws HomelabError `config` with code `BAD_CONFIG` for a path that ssh would not take as it is.
 */
export function signInEnvironment(
  directory: string,
  { username, tokenFile, sshKeyFile, knownHostsFile }: GitCredentials,
): Record<string, string> {
  for (const path of [sshKeyFile, knownHostsFile]) {
    if (path !== undefined && !plainPath.test(path)) {
      throw new HomelabError("config", `ssh cannot use the path ${JSON.stringify(path)} as it is`, {
        code: "BAD_CONFIG",
        hint: "allowed are letters, digits and _ . / + @ = , : -",
      });
    }
  }
  return {
    GIT_TERMINAL_PROMPT: "0",
    GIT_SSH: join(directory, "ssh"),
    GIT_SSH_VARIANT: "ssh",
    ...(sshKeyFile === undefined ? {} : { HOMELAB_DEPLOY_SSH_KEY_FILE: sshKeyFile }),
    ...(knownHostsFile === undefined ? {} : { HOMELAB_DEPLOY_SSH_KNOWN_HOSTS_FILE: knownHostsFile }),
    ...(tokenFile === undefined
      ? {}
      : {
          GIT_ASKPASS: join(directory, "askpass"),
          HOMELAB_DEPLOY_GIT_USERNAME: username ?? "git",
          HOMELAB_DEPLOY_GIT_TOKEN_FILE: tokenFile,
        }),
  };
}

/** Writes both programs, for our user only. Replaces them in one step: another process may be running them. */
export async function writeSignInPrograms(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  for (const [name, text] of Object.entries({ askpass, ssh })) {
    await replaceFile(join(directory, name), text, { mode: 0o700 });
  }
}

/** What must not be in a message, in each form in which git or a server could repeat it. */
export async function secretsOf({ tokenFile, username = "git" }: GitCredentials): Promise<readonly string[]> {
  if (tokenFile === undefined) return [];
  const content = await readIfSmall(tokenFile);
  const token = content.split(/[\r\n]/, 1)[0] ?? "";
  if (token === "") return [];
  return [token, encodeURIComponent(token), Buffer.from(`${username}:${token}`).toString("base64")];
}
