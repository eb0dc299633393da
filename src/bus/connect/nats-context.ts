// What the `nats` command is set up with, so that a command of ours needs no configuration where that works. Its
// contexts are a stable format meant for other clients too, and never written by us:
// https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-21.md
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import * as v from "valibot";
import { hasCode, HomelabError } from "../../base/errors.ts";
import { decodeJson } from "../../base/json.ts";
import { readBounded } from "../../base/files/read-bounded.ts";
import type { ConnectionOptions } from "./connection.ts";

/** Everything about how to reach and sign in to NATS, from one place. */
export type NatsAccess = Omit<ConnectionOptions, "name" | "role">;

export type Environment = Readonly<Record<string, string | undefined>>;

const field = v.optional(v.pipe(v.string(), v.maxLength(4096)), "");
const Context = v.object({
  url: field,
  token: field,
  user: field,
  password: field,
  creds: field,
  nkey: field,
  cert: field,
  key: field,
  ca: field,
  inbox_prefix: field,
  jetstream_domain: field,
});

/** Names become file names. */
const contextName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** `$XDG_CONFIG_HOME/nats`, where the `nats` command keeps its contexts. */
export function natsConfigDirectory(environment: Environment): string {
  const config = environment["XDG_CONFIG_HOME"];
  if (config !== undefined && isAbsolute(config)) return join(config, "nats");
  return join(environment["HOME"] ?? homedir(), ".config", "nats");
}

/**
 * @param name of the context; without it the selected one.
 * @returns undefined when none is selected.
 * @throws HomelabError `config` `NATS_CONTEXT` when it is missing or not valid.
 */
export async function readNatsContext(directory: string, name?: string): Promise<NatsAccess | undefined> {
  const selected = name ?? (await readIfThere(join(directory, "context.txt")))?.trim();
  if (selected === undefined || selected === "") return undefined;
  const refuse = (what: string): HomelabError =>
    new HomelabError(
      "config",
      `the context ${JSON.stringify(selected.slice(0, 80))} of the nats command ${what}`,
      {
        code: "NATS_CONTEXT",
        hint: "see `nats context ls`, or name the server with $NATS_URL or in the configuration",
      },
    );
  if (!contextName.test(selected)) throw refuse("has a name that cannot be one");
  const content = await readIfThere(join(directory, "context", `${selected}.json`));
  if (content === undefined) throw refuse("does not exist");
  const context = decodeJson(Context, content);
  // Without the parsers' words: they may quote a password.
  if (context === undefined) throw refuse("is not valid");
  return accessOf(context);
}

/**
 * What the environment says, in the words of the `nats` command. Undefined without `$NATS_URL`.
 *
 * `$HOMELAB_DEPLOY_INBOX_PREFIX` and `$HOMELAB_DEPLOY_JETSTREAM_DOMAIN` are ours: the `nats` command has no variables
 * for them.
 */
function natsAccessOfEnvironment(environment: Environment): NatsAccess | undefined {
  const value = (name: string): string => environment[name] ?? "";
  if (value("NATS_URL") === "") return undefined;
  return accessOf({
    url: value("NATS_URL"),
    token: value("NATS_TOKEN"),
    user: value("NATS_USER"),
    password: value("NATS_PASSWORD"),
    creds: value("NATS_CREDS"),
    nkey: value("NATS_NKEY"),
    cert: value("NATS_CERT"),
    key: value("NATS_KEY"),
    ca: value("NATS_CA"),
    inbox_prefix: value("HOMELAB_DEPLOY_INBOX_PREFIX"),
    jetstream_domain: value("HOMELAB_DEPLOY_JETSTREAM_DOMAIN"),
  });
}

function accessOf(context: v.InferOutput<typeof Context>): NatsAccess {
  const { url, creds, nkey, cert, key, ca } = context;
  const texts = url.split(",").map((server) => server.trim());
  const places = texts.filter((server) => server !== "").map(parseServer);
  const user = context.user === "" ? places[0]?.user : { name: context.user, password: context.password };
  const token = context.token === "" ? places[0]?.token : context.token;
  const hasTls = [cert, key, ca].some((file) => file !== "");
  return {
    servers: places.map((place) => place.server),
    nkeyFile: nkey === "" ? undefined : nkey,
    credentialsFile: creds === "" ? undefined : creds,
    password: user && { user: user.name, password: user.password },
    token,
    tls: hasTls ? withoutEmpty({ caFile: ca, certFile: cert, keyFile: key }) : undefined,
    inboxPrefix: context.inbox_prefix === "" ? undefined : context.inbox_prefix,
    jetstreamDomain: context.jetstream_domain === "" ? undefined : context.jetstream_domain,
  };
}

interface Place {
  readonly server: string;
  readonly user?: { readonly name: string; readonly password: string };
  readonly token?: string;
}

/** `nats://user:password@host:port`, or less of it. What is secret does not stay in the URL, which messages quote. */
function parseServer(text: string): Place {
  const url = URL.parse(text.includes("://") ? text : `nats://${text}`);
  if (url === null || url.host === "" || !["nats:", "tls:"].includes(url.protocol)) {
    throw new HomelabError("config", "a NATS URL is not valid", {
      code: "NATS_URL",
      hint: "it looks like nats://host:4222 or tls://host:4222; see $NATS_URL, or: nats context info",
    });
  }
  const server = `${url.protocol}//${url.host}`;
  if (url.username === "") return { server };
  const [name, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  return password === "" ? { server, token: name } : { server, user: { name, password } };
}

const withoutEmpty = (files: Record<"caFile" | "certFile" | "keyFile", string>): NatsAccess["tls"] =>
  Object.fromEntries(Object.entries(files).filter(([, file]) => file !== ""));

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return (await readBounded(file, 64 * 1024)).text;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new HomelabError("config", `${file} cannot be read`, {
      code: "NATS_CONTEXT",
      hint: "check its permissions",
      cause: error,
    });
  }
}

const localServer: NatsAccess = { servers: ["nats://127.0.0.1:4222"] };

/**
 * The first place that names a server: the configuration, the environment, the selected context, this machine.
 * What is needed to sign in comes from the same place, so that no key or password goes to another server; only
 * what the configuration says without naming a server is added to it.
 */
export async function findNatsAccess(
  configured: Partial<NatsAccess>,
  environment: Environment,
): Promise<NatsAccess> {
  const { servers } = configured;
  if (servers !== undefined && servers.length > 0) return { ...configured, servers };
  const found =
    natsAccessOfEnvironment(environment) ??
    (await readNatsContext(natsConfigDirectory(environment), environment["NATS_CONTEXT"])) ??
    localServer;
  const place = found.servers.length > 0 ? found : { ...found, servers: localServer.servers };
  const { nkeyFile, credentialsFile, tls, inboxPrefix, jetstreamDomain } = configured;
  const ownSignIn = nkeyFile !== undefined || credentialsFile !== undefined;
  return {
    servers: place.servers,
    ...(ownSignIn
      ? { nkeyFile, credentialsFile }
      : {
          nkeyFile: place.nkeyFile,
          credentialsFile: place.credentialsFile,
          password: place.password,
          token: place.token,
        }),
    tls: tls ?? place.tls,
    inboxPrefix: inboxPrefix ?? place.inboxPrefix,
    jetstreamDomain: jetstreamDomain ?? place.jetstreamDomain,
  };
}
