// The files with secrets: whether they are there, and who else may read them.
import { access, constants, stat } from "node:fs/promises";
import { hasCode, messageOf } from "../../../base/errors.ts";
import { formatPath } from "../../../config/problems.ts";
import type { Config } from "../../../config/schema.ts";
import { resolveSecretPath } from "../../../config/secrets.ts";
import { ok, unknown, warning, wrong, type Finding } from "../finding.ts";

export interface SecretSetting {
  /** Where it is in the configuration: `repos.nixos.credentials.tokenFile`. */
  readonly name: string;
  readonly file: string;
  /** What cannot be looked at without it. */
  readonly needs: readonly string[];
}

type Named = readonly [name: string, file: string | undefined, needs?: string];

/** Every setting that is the path of a secret and has a value. */
function secretSettings({
  nats,
  repos,
  inputs,
  builder,
  update,
  notify,
  deployer,
  cache,
}: Config): readonly SecretSetting[] {
  const named: readonly Named[] = [
    ["nats.nkeyFile", nats.nkeyFile, natsNeed],
    ["nats.credentialsFile", nats.credentialsFile, natsNeed],
    ["nats.tls.keyFile", nats.tls?.keyFile, natsNeed],
    ["builder.statementKeyFile", builder.statementKeyFile, "statement key"],
    ["update.signingKeyFile", update.signingKeyFile],
    ["update.webhookFile", update.webhookFile, "webhook"],
    ["notify.webhookFile", notify.webhookFile, "webhook for builds"],
    ["notify.ntfyFile", notify.ntfyFile, "ntfy"],
    ["notify.ntfyTokenFile", notify.ntfyTokenFile],
    ["deployer.keyFile", deployer.keyFile],
    ["deployer.notify.webhookFile", deployer.notify.webhookFile, "webhook for rollouts"],
    ["deployer.notify.ntfyFile", deployer.notify.ntfyFile, "ntfy for rollouts"],
    ["deployer.notify.ntfyTokenFile", deployer.notify.ntfyTokenFile],
    ["cache.secretKeyFile", cache.secretKeyFile, "cache secret key"],
    ["cache.netrcFile", cache.netrcFile, "cache"],
    ...Object.entries(inputs.credentials).flatMap(([host, { tokenFile, sshKeyFile }]): Named[] => [
      [formatPath(["inputs", "credentials", host, "tokenFile"]), tokenFile],
      [formatPath(["inputs", "credentials", host, "sshKeyFile"]), sshKeyFile],
    ]),
    ...Object.entries(repos).flatMap(([repo, settings]): Named[] => [
      [`repos.${repo}.credentials.tokenFile`, settings.credentials?.tokenFile, `repo ${repo}`],
      [`repos.${repo}.credentials.sshKeyFile`, settings.credentials?.sshKeyFile, `repo ${repo}`],
      [`repos.${repo}.update.forge.tokenFile`, settings.update.forge?.tokenFile, `forge of ${repo}`],
    ]),
  ];
  return named.flatMap(([name, file, need]) =>
    file === undefined ? [] : [{ name, file, needs: need === undefined ? [] : [need] }],
  );
}

/** Stands for all of NATS in the list of what could not be checked. */
export const natsNeed = "NATS server";

/** Findings that would only repeat that a secret is missing. */
export const unseen = (secrets: readonly Finding[]): ReadonlySet<string> =>
  new Set(secrets.flatMap(({ concerns = [] }) => concerns));

export async function checkSecrets(
  config: Config,
  credentialsDirectory: string | undefined,
): Promise<readonly Finding[]> {
  return Promise.all(secretSettings(config).map(async (each) => checkSecret(each, credentialsDirectory)));
}

async function checkSecret(
  { name, file, needs }: SecretSetting,
  credentialsDirectory: string | undefined,
): Promise<Finding> {
  const check = `secret ${name}`;
  const concerned = needs.length === 0 ? {} : { concerns: needs };
  const isOfService = file.startsWith("$CREDENTIALS_DIRECTORY/");
  if (isOfService && (credentialsDirectory === undefined || credentialsDirectory === "")) {
    return unknown(
      check,
      `${file} exists only inside of the service`,
      "run doctor in the service's environment: systemd-run with the same LoadCredential",
      concerned,
    );
  }
  const path = resolveSecretPath(file, credentialsDirectory);
  try {
    const finding = judgeSecret(check, path, await stat(path));
    await access(path, constants.R_OK);
    // One that is in the wrong place can be read.
    return finding.state === "wrong" && !path.startsWith("/nix/store/")
      ? { ...finding, ...concerned }
      : finding;
  } catch (error) {
    const advice = hasCode(error, "EACCES")
      ? "run doctor as the user of the service, or let that user read it: chown"
      : "put the secret there, or correct the setting";
    return wrong(check, `${path}: ${messageOf(error)}`, advice, concerned);
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
