// A complete configuration for nats-server: one account for homelab-deploy, its users with the least they need,
// and settings under which an acknowledged message is really stored. A pure function.
import { HomelabError } from "../base/errors.ts";
import { isUserPublicKey } from "./keys.ts";
import { inboxPrefixOf, permissionsOf, userLabel, type NatsUser } from "./permissions.ts";
import { isAtLeast } from "./server-version.ts";

export interface ServerConfigOptions {
  /** `127.0.0.1:4222`, `[::]:4222` */
  readonly listen: string;
  /** Where JetStream keeps its streams; on a file system of its own if possible. */
  readonly storeDirectory: string;
  /** Bytes; at most 80 % of that file system. */
  readonly maxFileStore: number;
  /** Demanded of every client. Leave it out only on the loopback or a network that is trusted. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string };
  /** Address of the monitoring pages, which have no authentication: the loopback only. */
  readonly monitoring?: string;
  /** Of the nats-server that reads this. Before 2.10 it cannot store before it acknowledges. */
  readonly serverVersion: string;
  readonly users: readonly NatsUser[];
  /** Public key for the system account, to watch the server itself. */
  readonly systemKey?: string;
}

/** @throws HomelabError `usage` for a public key that is none, two users that are one, or an impossible path. */
export function serverConfig(options: ServerConfigOptions): string {
  requireDistinctUsers(options);
  const { listen, monitoring, tls, users, systemKey } = options;
  return `${[
    "# nats-server for homelab-deploy, made by: homelab-deploy nats config",
    'server_name: "homelab-deploy"',
    `listen: ${quoted(listen)}`,
    ...(monitoring === undefined ? [] : [`http: ${quoted(monitoring)}`]),
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
    "",
    "accounts {",
    `  SYS { users: [ ${systemKey === undefined ? "" : `{ nkey: ${quoted(systemKey)} } `}] }`,
    "  HOMELAB {",
    "    jetstream: enabled",
    "    users: [",
    ...users.flatMap((user) => userBlock(user, users)),
    "    ]",
    "  }",
    "}",
    "system_account: SYS",
  ].join("\n")}\n`;
}

function jetStream({ storeDirectory, maxFileStore, serverVersion }: ServerConfigOptions): readonly string[] {
  return [
    "jetstream {",
    `  store_dir: ${quoted(storeDirectory)}`,
    "  max_memory_store: 67108864",
    `  max_file_store: ${Math.floor(maxFileStore)}`,
    ...(isAtLeast(serverVersion, "2.10.0")
      ? [
          "  # Otherwise a power cut takes back what was acknowledged in the last two minutes.",
          "  sync_interval: always",
        ]
      : [
          "  # From nats-server 2.10 add here: sync_interval: always",
          "  # Without it a power cut takes back what was acknowledged in the last two minutes.",
        ]),
    "}",
  ];
}

const tlsBlock = ({
  certFile,
  keyFile,
  caFile,
}: NonNullable<ServerConfigOptions["tls"]>): readonly string[] => [
  "tls {",
  `  cert_file: ${quoted(certFile)}`,
  `  key_file: ${quoted(keyFile)}`,
  ...(caFile === undefined ? [] : [`  ca_file: ${quoted(caFile)}`]),
  "  timeout: 5",
  "}",
];

function userBlock(user: NatsUser, everybody: readonly NatsUser[]): readonly string[] {
  const { publish, subscribe } = permissionsOf(user, everybody);
  const list = (subjects: readonly string[]): readonly string[] =>
    subjects.map((subject) => `          ${quoted(subject)}`);
  return [
    `      # ${userLabel(user)}; its clients need nats.inboxPrefix ${inboxPrefixOf(user)}`,
    `      { nkey: ${quoted(user.publicKey)}, permissions: {`,
    "        publish: { allow: [",
    ...list(publish),
    "        ] }",
    "        subscribe: { allow: [",
    ...list(subscribe),
    "        ] }",
    "      } }",
  ];
}

function requireDistinctUsers({ users, systemKey }: ServerConfigOptions): void {
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
    if (keys.has(key)) refuse(`the public key ${key} is there twice`, "every user needs a key of its own");
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
      `${JSON.stringify(text.slice(0, 80))} cannot stand in a NATS configuration`,
      {
        code: "BAD_NATS_CONFIG",
        hint: "use printable ASCII without quotes and backslashes",
      },
    );
  }
  return `"${text}"`;
}
