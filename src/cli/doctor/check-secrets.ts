// The files with secrets: whether they are there, and who else may read them.
import { stat } from "node:fs/promises";
import { messageOf } from "../../base/errors.ts";
import { formatPath } from "../../config/problems.ts";
import type { Config } from "../../config/schema.ts";
import { resolveSecretPath } from "../../config/secrets.ts";
import { ok, warning, wrong, type Finding } from "./finding.ts";

export interface SecretSetting {
  /** Where it stands in the configuration: `repos.nixos.credentials.tokenFile`. */
  readonly name: string;
  readonly file: string;
}

/** Every setting that is the path of a secret and has a value. */
function secretSettings({ nats, repos, inputs, update, cache }: Config): readonly SecretSetting[] {
  const named: readonly (readonly [string, string | undefined])[] = [
    ["nats.nkeyFile", nats.nkeyFile],
    ["nats.credentialsFile", nats.credentialsFile],
    ["nats.tls.keyFile", nats.tls?.keyFile],
    ["update.webhookFile", update.webhookFile],
    ["cache.secretKeyFile", cache.secretKeyFile],
    ...Object.entries(inputs.credentials).flatMap(([host, { tokenFile, sshKeyFile }]) => [
      [formatPath(["inputs", "credentials", host, "tokenFile"]), tokenFile] as const,
      [formatPath(["inputs", "credentials", host, "sshKeyFile"]), sshKeyFile] as const,
    ]),
    ...Object.entries(repos).flatMap(([repo, settings]) => [
      [`repos.${repo}.credentials.tokenFile`, settings.credentials?.tokenFile] as const,
      [`repos.${repo}.credentials.sshKeyFile`, settings.credentials?.sshKeyFile] as const,
      [`repos.${repo}.update.forge.tokenFile`, settings.update.forge?.tokenFile] as const,
    ]),
  ];
  return named.flatMap(([name, file]) => (file === undefined ? [] : [{ name, file }]));
}

export async function checkSecrets(
  config: Config,
  credentialsDirectory: string | undefined,
): Promise<readonly Finding[]> {
  return Promise.all(secretSettings(config).map(async (each) => checkSecret(each, credentialsDirectory)));
}

async function checkSecret(
  { name, file }: SecretSetting,
  credentialsDirectory: string | undefined,
): Promise<Finding> {
  const check = `secret ${name}`;
  const isOfService = file.startsWith("$CREDENTIALS_DIRECTORY/");
  if (isOfService && (credentialsDirectory === undefined || credentialsDirectory === "")) {
    return {
      check,
      state: "unknown",
      message: `${file} exists only inside of the service`,
      hint: "run doctor in the service's environment: systemd-run with the same LoadCredential",
    };
  }
  const path = resolveSecretPath(file, credentialsDirectory);
  try {
    return judgeSecret(check, path, await stat(path));
  } catch (error) {
    return wrong(check, `${path}: ${messageOf(error)}`, "put the secret there, or correct the setting");
  }
}

/** @param facts of the file, as `stat` gives them */
export function judgeSecret(
  check: string,
  path: string,
  { mode, size }: { readonly mode: number; readonly size: number },
): Finding {
  if (path.startsWith("/nix/store/")) {
    const advice = "give the path of a file outside, as sops-nix, agenix or LoadCredential make it";
    return wrong(check, `${path} is in the Nix store, which everybody may read and copy`, advice);
  }
  if (size === 0) return wrong(check, `${path} is empty`, "put the secret there");
  const bits = (mode & 0o777).toString(8).padStart(3, "0");
  if ((mode & 0o004) !== 0) {
    const advice = `chmod 600 ${path}, and replace the secret if others use this machine`;
    return warning(check, `everybody on this machine may read ${path} (mode ${bits})`, advice);
  }
  if ((mode & 0o022) !== 0) {
    return warning(check, `others may write to ${path} (mode ${bits})`, `chmod 600 ${path}`);
  }
  return ok(check, `${path}, mode ${bits}`);
}
