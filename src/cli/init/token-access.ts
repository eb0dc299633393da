// The token for private https repos: read once, so that a wrong file is found before anything is written.
import { resolve } from "node:path";
import type { Environment } from "../../base/environment.ts";
import { HomelabError } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { readSecret } from "../../config/secrets.ts";
import { parseRepoArgument } from "../arguments/repo-arguments.ts";
import type { Answered } from "./answers.ts";

export interface TokenAccess {
  readonly token: string;
  readonly credentials: { readonly username: string; readonly tokenFile: string };
}

export const isHttps = (url: string): boolean => url.startsWith("https://");

/**
 * @returns undefined when no token was named
 * @throws HomelabError `usage` when no repo can use it; `config` `BAD_SECRET` when the file cannot be read
 */
export async function readToken(
  {
    texts,
    tokenFile,
    tokenUser,
  }: Pick<Answered, "tokenFile" | "tokenUser"> & { readonly texts: readonly string[] },
  environment: Environment,
): Promise<TokenAccess | undefined> {
  if (tokenFile === undefined) {
    if (tokenUser === undefined) return undefined;
    throw refused("--token-user needs --token-file", "name the file with the token");
  }
  if (!texts.some((text) => isHttps(parseRepoArgument(text).url))) {
    throw refused("--token-file is for https repos, and none was named", "leave it out; ssh uses a key");
  }
  const username = tokenUser ?? "git";
  if (!/^[^\s:]{1,128}$/.test(username)) {
    throw refused(
      `${JSON.stringify(username.slice(0, 80))} cannot be a user name`,
      "spaces and colons are not allowed",
    );
  }
  // `~` is the shell's, which has replaced it already where somebody did not answer a question.
  const file = resolve(tokenFile.replace(/^~(?=\/)/, environment["HOME"] ?? "~"));
  const token = await readSecret(file, { credentialsDirectory: undefined, log: silentLog });
  return { token, credentials: { username, tokenFile: file } };
}

const refused = (message: string, hint: string): HomelabError =>
  new HomelabError("usage", message, { code: "BAD_ARGUMENTS", hint });
