// A server with exactly the configuration that `homelab-deploy nats config` prints, and a key for every role.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Connection, ConnectionOptions } from "../../src/bus/connect/connection.ts";
import type { HostAddress } from "../../src/bus/deploy-bus.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { inboxPrefixOf, type NatsUser } from "../../src/bus/server/permissions.ts";
import { serverConfig } from "../../src/bus/server/server-config.ts";
import { setUpStreams } from "../../src/bus/server/setup.ts";
import { parseBuilderName, parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { connectTo, serverVersion, startNatsServer, type NatsServer } from "./nats-server.ts";

export const testUsers = [
  "admin",
  "operator",
  "ci",
  "updater",
  "dashboard",
  "builder1",
  "builder2",
  "deployer",
  "listener",
  "neighbour",
  "namesake",
  "unassigned",
] as const;
export type TestUser = (typeof testUsers)[number];

const web1 = parseHostName("web1.lan");
/** Whose listeners they are: two hosts of a repo, and one of the same name in another repo. */
export const testHosts = {
  listener: { repo: parseRepoName("servers"), host: web1 },
  neighbour: { repo: parseRepoName("servers"), host: parseHostName("db1") },
  namesake: { repo: parseRepoName("desktops"), host: web1 },
} as const;

export interface RolesServer extends NatsServer {
  readonly urls: readonly string[];
  /** For the listener of one of the hosts that were added. */
  settingsOfHost(host: HostAddress): NatsSettings;
  connectHost(host: HostAddress): Promise<Connection>;
  /** Signed in as that user; the caller closes it. */
  connect(user: TestUser, options?: Partial<ConnectionOptions>): Promise<Connection>;
  /** For a configuration file of that user. */
  settingsOf(user: TestUser): NatsSettings;
  /** The configuration of such a server at another place, for the same keys. */
  configurationAt(listen: string, storeDirectory: string): string;
}

interface NatsSettings {
  readonly nkeyFile: string;
  readonly inboxPrefix: string;
}

/**
 * @param address where it listens
 * @param hosts more of them, each with a listener
 */
export async function startRolesServer(
  address = "127.0.0.1",
  hosts: readonly HostAddress[] = [],
): Promise<RolesServer> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-keys-"));
  const seedFile = (user: string): string => join(directory, `${user}.nk`);
  const key = async (user: string): Promise<string> => writeNewKey(seedFile(user));
  const users: Record<TestUser, NatsUser> = {
    admin: { role: "admin", publicKey: await key("admin") },
    operator: { role: "operator", publicKey: await key("operator") },
    ci: { role: "ci", publicKey: await key("ci") },
    updater: { role: "updater", publicKey: await key("updater") },
    dashboard: { role: "dashboard", publicKey: await key("dashboard") },
    builder1: { role: "builder", name: parseBuilderName("b1"), publicKey: await key("builder1") },
    builder2: { role: "builder", name: parseBuilderName("b2"), publicKey: await key("builder2") },
    deployer: { role: "deployer", publicKey: await key("deployer") },
    listener: { role: "listener", ...testHosts.listener, publicKey: await key("listener") },
    neighbour: { role: "listener", ...testHosts.neighbour, publicKey: await key("neighbour") },
    namesake: { role: "listener", ...testHosts.namesake, publicKey: await key("namesake") },
    // As configurations of before deploying have it.
    unassigned: { role: "listener", host: parseHostName("web2.lan"), publicKey: await key("unassigned") },
  };
  const nameOf = ({ repo, host }: HostAddress): string => `${repo}+${host}`;
  const listeners = new Map<string, NatsUser>();
  for (const host of hosts) {
    listeners.set(nameOf(host), { role: "listener", ...host, publicKey: await key(nameOf(host)) });
  }
  const version = await serverVersion();
  const configurationAt: RolesServer["configurationAt"] = (listen, storeDirectory) =>
    serverConfig({
      listen,
      storeDirectory,
      maxFileStore: 10 * 1024 ** 3,
      serverVersion: version,
      users: [...Object.values(users), ...listeners.values()],
    });
  const server = await startNatsServer(({ port, storeDirectory }) =>
    configurationAt(`${address}:${port}`, storeDirectory),
  );
  const settingsOf: RolesServer["settingsOf"] = (user) => ({
    nkeyFile: seedFile(user),
    inboxPrefix: inboxPrefixOf(users[user]),
  });
  const connect: RolesServer["connect"] = async (user, options) =>
    connectTo(server, { ...settingsOf(user), name: user, ...options });
  {
    await using admin = await connect("admin");
    await setUpStreams(admin);
  }
  const settingsOfHost: RolesServer["settingsOfHost"] = (host) => {
    const user = listeners.get(nameOf(host));
    if (user === undefined) throw new Error(`the server knows no listener of ${host.host}`);
    return { nkeyFile: seedFile(nameOf(host)), inboxPrefix: inboxPrefixOf(user) };
  };
  return {
    ...server,
    urls: [server.url],
    connect,
    settingsOf,
    settingsOfHost,
    connectHost: async (host) => connectTo(server, { ...settingsOfHost(host), name: nameOf(host) }),
    configurationAt,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
