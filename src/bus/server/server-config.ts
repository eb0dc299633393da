// The configuration of nats-server: the two accounts, their users with the least they need, and settings under which
// an acknowledged message is really stored. Pure functions.
import { HomelabError } from "../../base/errors.ts";
import { requireDomainName } from "../connect/domain-name.ts";
import { clusterBlock, type ClusterNode, type NodeTls } from "./cluster-config.ts";
import { accountOf, sharedSubjects, type AccountName } from "./accounts.ts";
import { isUserPublicKey } from "./keys.ts";
import { inboxPrefixOf, permissionsOf, userLabel, type Identity, type NatsUser } from "./permissions.ts";
import { isAtLeast } from "../../base/version.ts";

export interface ServerConfigOptions {
  /** `127.0.0.1:4222`, `[::]:4222` */
  readonly listen: string;
  /** Where JetStream keeps its streams; on a file system of its own if possible. */
  readonly storeDirectory: string;
  /** Bytes; at most 80 % of that file system. Without it the server takes 75 % of what is free. */
  readonly maxFileStore?: number;
  /** Demanded of every client. Leave it out only on the loopback or a network that is trusted. */
  readonly tls?: NodeTls;
  /** Address of the monitoring pages, which have no authentication: the loopback only. */
  readonly monitoring?: string;
  /** The version of the nats-server that reads this. Before 2.10 it cannot store before it acknowledges. */
  readonly serverVersion: string;
  readonly users: readonly NatsUser[];
  /** Public key for the system account, to watch the server itself. */
  readonly systemKey?: string;
  /**
   * With it, whoever brings no key is the user `local`: only for a server that nobody but this machine reaches. The
   * server demands a password for that user; nobody needs to know it.
   */
  readonly localPassword?: string;
  /** The domain of its JetStream, for clients of leaf nodes. */
  readonly domain?: string;
  /** The cluster that this server is a node of. */
  readonly cluster?: ClusterNode;
  /** Where the server writes its process id. */
  readonly pidFile?: string;
}

/**
 * A complete configuration.
 *
 * @throws HomelabError `usage` for what is not a public key, two users that are one, or an impossible path.
 */
export function serverConfig(options: ServerConfigOptions): string {
  requireDistinctUsers(options.users, options.systemKey);
  const { listen, monitoring, tls, users, systemKey, localPassword, domain, cluster, pidFile } = options;
  return `${[
    "# nats-server for homelab-deploy, made by: homelab-deploy nats config",
    `server_name: ${quoted(cluster?.node ?? "homelab-deploy")}`,
    `listen: ${quoted(listen)}`,
    ...(cluster?.advertise === undefined ? [] : [`client_advertise: ${quoted(cluster.advertise)}`]),
    ...(monitoring === undefined ? [] : [`http: ${quoted(monitoring)}`]),
    ...(pidFile === undefined ? [] : [`pid_file: ${quoted(pidFile)}`]),
    "",
    ...jetStream(options),
    "",
    "max_payload: 1048576",
    "max_pending: 67108864",
    'write_deadline: "10s"',
    "# A dead peer is noticed after a minute; the default would take five.",
    'ping_interval: "20s"',
    "ping_max: 3",
    "max_connections: 2000",
    "authorization { timeout: 5 }",
    ...(tls === undefined ? [] : tlsBlock(tls)),
    ...(cluster === undefined ? [] : ["", ...clusterBlock(cluster, tls)]),
    "",
    "accounts {",
    `  SYS { users: [ ${systemKey === undefined ? "" : `{ nkey: ${quoted(systemKey)} } `}] }`,
    ...accountBlocks(users, { localPassword, domain }).map(indented),
    "}",
    "system_account: SYS",
    ...(localPassword === undefined ? [] : ["no_auth_user: local"]),
  ].join("\n")}\n`;
}

/**
 * Only the two accounts, to be included into the `accounts` block of a server that has others.
 *
 * @throws HomelabError `usage`: see `serverConfig`.
 */
export function accountsFragment(users: readonly NatsUser[], domain?: string): string {
  requireDistinctUsers(users, undefined);
  return `${[
    "# The accounts of homelab-deploy, made by: homelab-deploy nats config --fragment",
    "# In the server's configuration:  accounts { include ./this-file  …your own accounts… }",
    "# It also needs JetStream, outside of any account, from nats-server 2.10 with sync_interval: always",
    ...accountBlocks(users, { domain }),
  ].join("\n")}\n`;
}

function accountBlocks(
  users: readonly NatsUser[],
  { localPassword, domain }: Pick<ServerConfigOptions, "localPassword" | "domain">,
): readonly string[] {
  requireDomainName(domain);
  const { services, streams } = sharedSubjects(domain);
  const usersOf = (account: AccountName): readonly string[] =>
    users
      .filter(({ role }) => accountOf(role) === account)
      .flatMap((user) => userBlock(user, `nkey: ${quoted(user.publicKey)}`, domain));
  const local =
    localPassword === undefined
      ? []
      : userBlock({ role: "local" }, `user: local, password: ${quoted(localPassword)}`, domain);
  const each = (kind: "service" | "stream", subjects: readonly string[], what: (subject: string) => string) =>
    subjects.map((subject) => `    { ${kind}: ${what(subject)} }`);
  const exported = (subject: string): string => `${quoted(subject)}, accounts: [ CLIENTS ]`;
  const imported = (subject: string): string => `{ account: HOMELAB, subject: ${quoted(subject)} }`;
  return [
    "# Streams, builders and the admin.",
    "HOMELAB {",
    "  jetstream: enabled",
    "  users: [",
    ...usersOf("HOMELAB"),
    "  ]",
    "  exports: [",
    ...each("service", services, exported),
    ...each("stream", streams, exported),
    "  ]",
    "}",
    "# Everybody else. What the server answers to them arrives here, and never among the streams.",
    "CLIENTS {",
    "  users: [",
    ...usersOf("CLIENTS"),
    ...local,
    "  ]",
    "  imports: [",
    ...each("service", services, imported),
    ...each("stream", streams, imported),
    "  ]",
    "}",
  ];
}

const indented = (line: string): string => `  ${line}`;

function jetStream({
  storeDirectory,
  maxFileStore,
  serverVersion,
  domain,
}: ServerConfigOptions): readonly string[] {
  return [
    "jetstream {",
    `  store_dir: ${quoted(storeDirectory)}`,
    ...(domain === undefined ? [] : [`  domain: ${quoted(domain)}`]),
    "  max_memory_store: 67108864",
    ...(maxFileStore === undefined ? [] : [`  max_file_store: ${Math.floor(maxFileStore)}`]),
    ...(isAtLeast(serverVersion, "2.10.0")
      ? [
          "  # Otherwise a power cut loses what was acknowledged in the last two minutes.",
          "  sync_interval: always",
        ]
      : [
          "  # From nats-server 2.10 add here: sync_interval: always",
          "  # Without it a power cut loses what was acknowledged in the last two minutes.",
        ]),
    "}",
  ];
}

const tlsBlock = ({ certFile, keyFile, caFile }: NodeTls): readonly string[] => [
  "tls {",
  `  cert_file: ${quoted(certFile)}`,
  `  key_file: ${quoted(keyFile)}`,
  ...(caFile === undefined ? [] : [`  ca_file: ${quoted(caFile)}`]),
  "  timeout: 5",
  "}",
];

function userBlock(user: Identity, signIn: string, domain: string | undefined): readonly string[] {
  const { publish, subscribe } = permissionsOf(user, domain);
  const list = (subjects: readonly string[]): readonly string[] =>
    subjects.map((subject) => `        ${quoted(subject)}`);
  return [
    `    # ${userLabel(user)}; its clients need nats.inboxPrefix ${inboxPrefixOf(user)}`,
    `    { ${signIn}, permissions: {`,
    "      publish: { allow: [",
    ...list(publish),
    "      ] }",
    "      subscribe: { allow: [",
    ...list(subscribe),
    "      ] }",
    "    } }",
  ];
}

function requireDistinctUsers(users: readonly NatsUser[], systemKey: string | undefined): void {
  const refuse = (message: string, hint: string): never => {
    throw new HomelabError("usage", message, { code: "BAD_NATS_USERS", hint });
  };
  const keys = new Set<string>();
  for (const key of [
    ...users.map(({ publicKey }) => publicKey),
    ...(systemKey === undefined ? [] : [systemKey]),
  ]) {
    if (!isUserPublicKey(key)) {
      refuse(
        `${JSON.stringify(key.startsWith("SU") ? "SU…" : key.slice(0, 80))} is not a public key of a NATS user`,
        "a public key starts with U; the seed, which starts with SU, stays where it is",
      );
    }
    if (keys.has(key)) refuse(`the public key ${key} is there twice`, "every user needs its own key");
    keys.add(key);
  }
  const labels = new Set<string>();
  for (const user of users) {
    const label = userLabel(user);
    if (labels.has(label)) refuse(`two users are called ${label}`, "give one of them another name");
    labels.add(label);
  }
  if (!users.some(({ role }) => role === "admin")) {
    refuse("there is no admin, so nobody could create the streams", "add a key for the role admin");
  }
}

/** The configuration language of nats-server has variables (`$X`) and escapes; quoted, none of them starts. */
function quoted(text: string): string {
  if (text === "" || /[^\u0020-\u007e]|["\\]/.test(text)) {
    throw new HomelabError(
      "usage",
      `${JSON.stringify(text.slice(0, 80))} cannot be written into a NATS configuration`,
      {
        code: "BAD_NATS_CONFIG",
        hint: "use printable ASCII without quotes and backslashes",
      },
    );
  }
  return `"${text}"`;
}
