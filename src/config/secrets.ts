import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { readBounded, whyUnreadable } from "../base/files/read-bounded.ts";

const maxBytes = 64 * 1024;
const credentialsPrefix = "$CREDENTIALS_DIRECTORY/";

export interface SecretSource {
  /** `$CREDENTIALS_DIRECTORY` of the service, where systemd puts its credentials. */
  readonly credentialsDirectory: string | undefined;
  readonly log: Log;
}

/**
 * The path of a secret's file, with `$CREDENTIALS_DIRECTORY/` filled in.
 *
 * @throws HomelabError `config` with code `BAD_SECRET` when there is no such directory.
 */
export function resolveSecretPath(setting: string, credentialsDirectory: string | undefined): string {
  if (!setting.startsWith(credentialsPrefix)) return setting;
  if (credentialsDirectory === undefined || credentialsDirectory === "") {
    throw new HomelabError("config", `${setting} is set, but there is no $CREDENTIALS_DIRECTORY`, {
      code: "BAD_SECRET",
      hint: "systemd makes it for units with LoadCredential; elsewhere give the path of a file",
    });
  }
  return `${credentialsDirectory}/${setting.slice(credentialsPrefix.length)}`;
}

/**
 * Reads a secret now, so that one that was replaced is seen at the next use. Space around it goes. Warns when
 * everybody on this machine may read it.
 *
 * @param setting `/path` or `$CREDENTIALS_DIRECTORY/name`
 * @throws HomelabError `config` with code `BAD_SECRET`: it cannot be read, is larger than 64 KiB, or is empty.
 */
export async function readSecret(
  setting: string,
  { credentialsDirectory, log }: SecretSource,
): Promise<string> {
  const path = resolveSecretPath(setting, credentialsDirectory);
  const { text, mode } = await readBounded(path, maxBytes).catch((error: unknown) => {
    // Without the cause, which could contain parts of the secret.
    throw new HomelabError("config", `cannot read the secret in ${path}: ${whyUnreadable(error)}`, {
      code: "BAD_SECRET",
      hint: "the setting is the path of a file that only this service may read",
    });
  });
  if ((mode & 0o004) !== 0) {
    log.warn({ path, mode: (mode & 0o777).toString(8) }, "everybody on this machine may read this secret");
  }
  const secret = text.trim();
  if (secret === "") {
    throw new HomelabError("config", `the secret in ${path} is empty`, { code: "BAD_SECRET" });
  }
  return secret;
}
