// From the command line to a connection.
import { nameAuthorities } from "../../base/node-tls.ts";
import { silentLog, type Log } from "../../base/log.ts";
import type { Connection, ConnectionOptions } from "../../bus/connect/connection.ts";
import type { Config } from "../../config/schema.ts";
import type { Context, GlobalOptions } from "../context.ts";

/** The configuration that is named, or the defaults. */
export async function loadCommandConfig({ options, environment }: Context): Promise<Config> {
  const { loadConfig, defaultConfig } = await import("../../config/load.ts");
  const file = options.config ?? environment["HOMELAB_DEPLOY_CONFIG"];
  return file === undefined || file === "" ? defaultConfig() : (await loadConfig(file)).config;
}

export type NatsTarget = Omit<ConnectionOptions, "name" | "role">;

/** Flags beat the configuration, which beats the environment and the nats command's contexts. */
export async function natsTargetOf({ environment, options }: Context, config: Config): Promise<NatsTarget> {
  const { findNatsAccess, natsConfigDirectory, readNatsContext } =
    await import("../../bus/connect/nats-context.ts");
  const { resolveSecretPath } = await import("../../config/secrets.ts");
  nameAuthorities(environment);
  const path = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : resolveSecretPath(file, environment["CREDENTIALS_DIRECTORY"]);
  const { servers, nkeyFile, credentialsFile, tls, inboxPrefix, jetstreamDomain } = config.nats;
  const configured = {
    servers,
    nkeyFile: path(nkeyFile),
    credentialsFile: path(credentialsFile),
    tls: tls === undefined ? undefined : { ...tls, keyFile: path(tls.keyFile) },
    inboxPrefix,
    jetstreamDomain,
  };
  const named =
    options.context === undefined
      ? undefined
      : await readNatsContext(natsConfigDirectory(environment), options.context);
  return findNatsAccess(given({ ...(named ?? given(configured)), ...flagged(options) }), environment);
}

function flagged({
  server,
  nkey,
  creds,
  tlsCa,
  tlsCert,
  tlsKey,
  inboxPrefix,
  jetstreamDomain,
}: GlobalOptions): Partial<NatsTarget> {
  const files = given({ caFile: tlsCa, certFile: tlsCert, keyFile: tlsKey });
  // One way to sign in: a flag's key is not sent beside the configuration's credentials.
  const signIn = nkey === undefined && creds === undefined ? {} : { nkeyFile: nkey, credentialsFile: creds };
  return {
    ...given({ servers: server, inboxPrefix, jetstreamDomain }),
    ...signIn,
    ...(Object.keys(files).length > 0 ? { tls: files } : {}),
  };
}

/** Leaves out what is not set, so that spreading it over something overwrites nothing. */
const given = <Value extends object>(value: Value): { [Key in keyof Value]?: NonNullable<Value[Key]> } =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;

/** For commands: fails at once when there is no server. */
export async function connectCommand(
  context: Context,
  config: Config,
  signal: AbortSignal,
  log: Log = silentLog,
): Promise<Connection> {
  const target = await natsTargetOf(context, config);
  const { connectNats } = await import("../../bus/connect/connection.ts");
  return connectNats({ ...target, name: "homelab-deploy", role: "command" }, log, signal);
}
