// From flags, environment, configuration and the nats command's context to one way of connecting.
import type { ConnectionOptions } from "../bus/connection.ts";
import type { NatsSettings } from "../config/schema.ts";
import type { GlobalOptions } from "./context.ts";
import type { Environment } from "./print/output-mode.ts";

export type NatsTarget = Omit<ConnectionOptions, "name" | "role">;

export const defaultServer = "nats://127.0.0.1:4222";

const defined = <Value extends object>(
  value: Value,
): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;

/**
 * Each setting for itself: the flag, then the environment (names of the nats command), then the configuration,
 * then the context. One way to sign in drops those of less weight: a key of a context is not sent beside a
 * credentials file of a flag.
 */
export function decideNatsTarget(
  flags: GlobalOptions,
  environment: Environment,
  settings: NatsSettings,
  context: Partial<NatsTarget> | undefined,
): NatsTarget {
  const env = (name: string): string | undefined =>
    environment[name] === "" ? undefined : environment[name];
  const signIns = [
    { nkeyFile: flags.nkey, credentialsFile: flags.creds },
    { nkeyFile: env("NATS_NKEY"), credentialsFile: env("NATS_CREDS") },
    { nkeyFile: settings.nkeyFile, credentialsFile: settings.credentialsFile },
    {
      nkeyFile: context?.nkeyFile,
      credentialsFile: context?.credentialsFile,
      password: context?.password,
      token: context?.token,
    },
  ].map(defined);
  const tlsFiles = [
    { caFile: flags.tlsCa, certFile: flags.tlsCert, keyFile: flags.tlsKey },
    { caFile: env("NATS_CA"), certFile: env("NATS_CERT"), keyFile: env("NATS_KEY") },
    settings.tls ?? {},
    context?.tls ?? {},
  ].map(defined);
  const demandsTls =
    settings.tls !== undefined ||
    context?.tls !== undefined ||
    tlsFiles.some((files) => Object.keys(files).length > 0);
  const inboxPrefix =
    flags.inboxPrefix ?? env("HOMELAB_DEPLOY_INBOX_PREFIX") ?? settings.inboxPrefix ?? context?.inboxPrefix;
  return {
    servers: flags.server ??
      env("NATS_URL")
        ?.split(",")
        .map((url) => url.trim()) ??
      settings.servers ??
      context?.servers ?? [defaultServer],
    ...signIns.find((signIn) => Object.keys(signIn).length > 0),
    ...(demandsTls
      ? { tls: Object.assign({}, ...tlsFiles.toReversed()) as NonNullable<NatsTarget["tls"]> }
      : {}),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
  };
}
