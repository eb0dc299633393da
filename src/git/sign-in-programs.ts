// Two tiny programs that git starts to sign in. They are constant text: what differs comes in environment
// variables that hold names and paths, so that nothing is ever quoted for a shell, and a secret is only ever in its file.
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../base/files/make-directory.ts";
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

/** A server, and how to sign in to it and to no other. */
export interface ServerAccess {
  /** `https://git.lan`, `https://git.lan:8443`, `ssh://git.lan`, without a port for ssh */
  readonly server: string;
  readonly credentials: GitCredentials;
}

// Each line is a question of git, word for word, so it is of one server and one user: a redirect, or the submodule of
// another server, is another question. Only the case of a host says nothing. A tab, `name` or `file`, and another tab
// stand between it and the answer. A secret is in a here-document: not every printf is a part of the shell.
const askpass = `#!/bin/sh
tab=$(printf '\\t')
case $1 in
  *@*) before=\${1%@*}@ ;;
  *) before=\${1%%://*}:// ;;
esac
asked=$before$(printf '%s' "\${1#"$before"}" | tr A-Z a-z)
while IFS="$tab" read -r question kind answer; do
  [ "$question" = "$asked" ] || continue
  case $kind in
    name) printf '%s\\n' "$answer"; exit 0 ;;
    file)
      if [ -f "$answer" ] && [ -r "$answer" ]; then
        while read -r line || [ -n "$line" ]; do
          [ -n "$line" ] || continue
          cat <<TOKEN
$line
TOKEN
          exit 0
        done < "$answer"
      fi
      printf 'fatal: could not read password: the file %s cannot be read, or is empty\\n' "$answer" >&2
      exit 1 ;;
  esac
done <<END
$HOMELAB_DEPLOY_GIT_ANSWERS
END
exit 1
`;

// Git calls it as ssh: options, of which -o and -p have a value, then the destination. Each line is a host, the file of
// its key and that of its known host keys, or - for either. Other hosts are left to ssh, or to what is used instead of it.
const ssh = `#!/bin/sh
our_ssh() {
  # Git shows no line that begins with the name of this file.
  command -v ssh >/dev/null || { echo "ssh: is not in the PATH" >&2; exit 127; }
  exec ssh "$@" 3<&-
}
host=
skip=
for word in "$@"; do
  if [ -n "$skip" ]; then skip=; continue; fi
  case $word in
    -o|-p) skip=yes ;;
    -*) ;;
    *) host=$(printf '%s' "\${word##*@}" | tr A-Z a-z); break ;;
  esac
done
tab=$(printf '\\t')
while IFS="$tab" read -r known key hosts <&3; do
  [ -n "$known" ] && [ "$known" = "$host" ] || continue
  set -- -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 "$@"
  if [ "$hosts" != - ]; then
    set -- -o "UserKnownHostsFile=$hosts" -o GlobalKnownHostsFile=/dev/null "$@"
  fi
  if [ "$key" != - ]; then
    set -- -i "$key" -o IdentitiesOnly=yes -o IdentityAgent=none "$@"
  fi
  our_ssh "$@"
done 3<<END
$HOMELAB_DEPLOY_SSH_HOSTS
END
exec 3<&-
if [ -n "\${HOMELAB_DEPLOY_SSH_COMMAND-}" ]; then
  exec sh -c "$HOMELAB_DEPLOY_SSH_COMMAND"' "$@"' "$HOMELAB_DEPLOY_SSH_COMMAND" "$@"
fi
our_ssh "$@"
`;

// ssh expands %, $ and ~ in these options and splits them at spaces (ssh_config(5), TOKENS).
const plainPath = /^\/[A-Za-z0-9_./+@=,:-]*$/;

/**
 * The variables that tell git how to sign in to these servers.
 *
 * @param directory of the programs, see `writeSignInPrograms`.
 * @throws HomelabError `config` with code `BAD_CONFIG` for a path that git or ssh would not take as it is.
 */
export function signInEnvironment(
  directory: string,
  accesses: readonly ServerAccess[],
): Record<string, string> {
  const answers = accesses.flatMap(({ server, credentials }) => answersFor(server, credentials));
  const hosts = accesses.flatMap(({ server, credentials }) => sshHost(server, credentials));
  return {
    GIT_TERMINAL_PROMPT: "0",
    GIT_SSH: join(directory, "ssh"),
    GIT_SSH_VARIANT: "ssh",
    HOMELAB_DEPLOY_SSH_HOSTS: hosts.join("\n"),
    ...(answers.length > 0 && {
      GIT_ASKPASS: join(directory, "askpass"),
      HOMELAB_DEPLOY_GIT_ANSWERS: answers.join("\n"),
    }),
  };
}

/** Git asks "Username for 'https://…': " and "Password for 'https://user@…': ", and takes the first line. */
function answersFor(server: string, { tokenFile, username = "git" }: GitCredentials): readonly string[] {
  const { scheme, host } = /^(?<scheme>https?):\/\/(?<host>[^/]+)$/.exec(server)?.groups ?? {};
  if (scheme === undefined || host === undefined || tokenFile === undefined) return [];
  if (/[\t\n]/.test(tokenFile)) throw unusablePath("git", tokenFile, "no tabs or line breaks");
  // As it is in the URL, and since git 2.48 encoded.
  const names = new Set([username, encodeURIComponent(username)]);
  return [
    `Username for '${scheme}://${host}': \tname\t${username}`,
    ...[...names].map((name) => `Password for '${scheme}://${name}@${host}': \tfile\t${tokenFile}`),
  ];
}

function sshHost(
  server: string,
  { sshKeyFile = "-", knownHostsFile = "-" }: GitCredentials,
): readonly string[] {
  const host = /^ssh:\/\/(?<host>[^/]+)$/.exec(server)?.groups?.["host"];
  if (host === undefined) return [];
  for (const path of [sshKeyFile, knownHostsFile]) {
    if (path !== "-" && !plainPath.test(path)) {
      throw unusablePath("ssh", path, "letters, digits and _ . / + @ = , : -");
    }
  }
  return [`${host}\t${sshKeyFile}\t${knownHostsFile}`];
}

const unusablePath = (program: string, path: string, allowed: string): HomelabError =>
  new HomelabError("config", `${program} cannot use the path ${JSON.stringify(path)} as it is`, {
    code: "BAD_CONFIG",
    hint: `allowed are ${allowed}`,
  });

/**
 * The server of a URL for git, as `ServerAccess` names it; undefined for one that is on this machine. The host is
 * in small letters.
 */
export function serverOf(url: string): string | undefined {
  const { scheme, host = "" } =
    /^(?<scheme>https?|ssh):\/\/(?:[^/@]*@)?(?<host>\[[^/\]]*\](?::\d+)?|[^/]+)/.exec(url)?.groups ?? {};
  if (scheme === undefined) return undefined;
  const name = host.toLowerCase();
  return `${scheme}://${scheme === "ssh" ? name.replace(/:\d+$/, "").replace(/^\[|\]$/g, "") : name}`;
}

/** Writes both programs, for our user only. Replaces them in one step: another process may be running them. */
export async function writeSignInPrograms(directory: string): Promise<void> {
  await makeDirectory(directory, { mode: 0o700 });
  await chmod(directory, 0o700);
  for (const [name, text] of Object.entries({ askpass, ssh })) {
    await replaceFile(join(directory, name), text, { mode: 0o700 });
  }
}

/** As the program above finds it: the first line with something in it, without the space around it. */
export const readToken = async (tokenFile: string): Promise<string> =>
  (await readIfSmall(tokenFile))
    .split(/[\r\n]/)
    .map((line) => line.trim())
    .find((line) => line !== "") ?? "";

/** What must not be in a message, in each form in which git or a server could repeat it. */
export async function secretsOf({ tokenFile, username = "git" }: GitCredentials): Promise<readonly string[]> {
  if (tokenFile === undefined) return [];
  const token = await readToken(tokenFile);
  if (token === "") return [];
  return [token, encodeURIComponent(token), Buffer.from(`${username}:${token}`).toString("base64")];
}
