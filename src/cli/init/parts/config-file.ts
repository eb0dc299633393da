// What parts write into their files in the same way.
import { nixText, type NixValue } from "../nix-text.ts";
import { natsKeyFile, tokenFile, type TextFile } from "../part.ts";
import { needsToken, placeOf, type Plan } from "../decide-installation.ts";
import { inboxPrefixOf, type Identity } from "../../../bus/server/permissions.ts";

export const configName = "config.json";
export const moduleName = "module.nix";

export const configFile = (config: object): TextFile => ({
  name: configName,
  text: `${JSON.stringify(config, undefined, 2)}\n`,
});

/** A module of NixOS that sets these options. */
export const moduleFile = (options: NixValue): TextFile => ({
  name: moduleName,
  text: `# Import this into the configuration of the host, beside nixosModules.default of homelab-deploy.\n${nixText(options)}\n`,
});

/** `nats` of a configuration file. */
export const natsSettings = (
  { nats }: Plan,
  identity: Identity,
  nkeyFile: string,
): {
  readonly servers: readonly string[];
  readonly nkeyFile: string;
  readonly inboxPrefix: string;
  readonly tls?: { readonly caFile: string };
} => ({
  servers: [nats.url],
  nkeyFile,
  inboxPrefix: inboxPrefixOf(identity),
  ...(nats.caFile === undefined ? {} : { tls: { caFile: nats.caFile } }),
});

/** The same where the NixOS module of a service adds the prefix by itself or has the option. */
export const natsOptions = (plan: Plan, part: string, inboxPrefix?: string): NixValue => ({
  servers: [plan.nats.url],
  nkeyFile: keyPath(plan, part),
  inboxPrefix,
  tls: plan.nats.caFile === undefined ? undefined : { caFile: plan.nats.caFile },
});

export const keyPath = (plan: Plan, part: string): string => `${placeOf(plan, part)}/${natsKeyFile}`;

/** A secret of a service: systemd gives it the file under this name. */
export const credential = (name: string): string => `$CREDENTIALS_DIRECTORY/${name}`;

/** `LoadCredential=` for files of the part that have the names of their credentials. */
export const credentialsOf = (plan: Plan, part: string, names: readonly string[]): readonly string[] =>
  names.map((name) => `${name}:${placeOf(plan, part)}/${name}`);

/** The files with the secrets of a part that reads the repos. */
export const secretsOfReader = (plan: Plan, ...more: readonly string[]): readonly string[] => [
  natsKeyFile,
  ...more,
  ...(needsToken(plan) ? [tokenFile] : []),
];

/** The command line of a service. */
export const commandOf = (plan: Plan, part: string, ...words: readonly string[]): string =>
  [plan.program, "--config", `${placeOf(plan, part)}/${configName}`, ...words].join(" ");

/** The same in place, with the secrets that systemd would give it. */
export const inPlaceCommand = (plan: Plan, part: string, ...words: readonly string[]): string =>
  `CREDENTIALS_DIRECTORY=${placeOf(plan, part)} ${commandOf(plan, part, ...words)}`;

/** `repos` of a configuration file. A repository on the same machine belongs to somebody else than the service. */
export const reposSettings = (plan: Plan, part: string): { readonly [name: string]: NixValue } => {
  const { repos, form } = plan;
  // The NixOS module makes a credential of the path by itself.
  const token = form === "nixos" ? `${placeOf(plan, part)}/${tokenFile}` : credential(tokenFile);
  return Object.fromEntries(
    Object.entries(repos).map(([name, { url, branch, tokenUser }]) => [
      name,
      {
        url,
        branch,
        ...(tokenUser === undefined ? {} : { credentials: { username: tokenUser, tokenFile: token } }),
        ...(url.startsWith("file://") && form !== "in-place" ? { allowOtherOwner: true } : {}),
      },
    ]),
  );
};

export function requireKey<Key>(keys: ReadonlyMap<string, Key>, part: string): Key {
  const key = keys.get(part);
  if (key === undefined) throw new Error(`the part ${part} has no key`);
  return key;
}
