// From the command line to a connection.
import { silentLog, type Log } from "../base/log.ts";
import type { BuildReader } from "../bus/bus.ts";
import type { Connection } from "../bus/connection.ts";
import type { Config } from "../config/schema.ts";
import type { Context } from "./context.ts";
import { decideNatsTarget, type NatsTarget } from "./nats-options.ts";

/** The configuration that is named, or the defaults. */
export async function loadCommandConfig({ options, environment }: Context): Promise<Config> {
  const { loadConfig, defaultConfig } = await import("../config/load.ts");
  const file = options.config ?? environment["HOMELAB_DEPLOY_CONFIG"];
  return file === undefined || file === "" ? defaultConfig() : (await loadConfig(file)).config;
}

export async function natsTargetOf(context: Context, config: Config): Promise<NatsTarget> {
  const { readNatsContext } = await import("../bus/nats-context.ts");
  const { resolveSecretPath } = await import("../config/secrets.ts");
  const { environment, options } = context;
  const selected = await readNatsContext({
    environment,
    name: options.context ?? environment["NATS_CONTEXT"],
  });
  const credentialsDirectory = environment["CREDENTIALS_DIRECTORY"];
  const path = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : resolveSecretPath(file, credentialsDirectory);
  const { nkeyFile, credentialsFile, tls, ...rest } = config.nats;
  const settings = {
    ...rest,
    nkeyFile: path(nkeyFile),
    credentialsFile: path(credentialsFile),
    ...(tls === undefined ? {} : { tls: { ...tls, keyFile: path(tls.keyFile) } }),
  };
  return decideNatsTarget(options, environment, settings, selected);
}

/** For commands: fails at once when there is no server. */
export async function connectCommand(
  context: Context,
  signal: AbortSignal,
  log: Log = silentLog,
): Promise<Connection> {
  const config = await loadCommandConfig(context);
  const target = await natsTargetOf(context, config);
  const { connectNats } = await import("../bus/connection.ts");
  return connectNats({ ...target, name: "homelab-deploy", role: "command" }, log, signal);
}

export interface ConnectedReader extends AsyncDisposable {
  readonly reader: BuildReader;
}

export async function connectReader(context: Context, signal: AbortSignal): Promise<ConnectedReader> {
  const connection = await connectCommand(context, signal);
  const { createReader } = await import("../bus/create-reader.ts");
  return { reader: createReader(connection), [Symbol.asyncDispose]: () => connection.close() };
}
