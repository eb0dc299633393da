// A server with exactly the configuration that `homelab-deploy nats config` prints, and a key for every role.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Connection, ConnectionOptions } from "../../src/bus/connect/connection.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { inboxPrefixOf, type NatsUser } from "../../src/bus/server/permissions.ts";
import { serverConfig } from "../../src/bus/server/server-config.ts";
import { setUpStreams } from "../../src/bus/server/setup.ts";
import { parseBuilderName, parseHostName } from "../../src/protocol/names.ts";
import { connectTo, serverVersion, startNatsServer, type NatsServer } from "./nats-server.ts";

export const testUsers = [
  "admin",
  "operator",
  "ci",
  "updater",
  "dashboard",
  "builder1",
  "builder2",
  "listener",
] as const;
export type TestUser = (typeof testUsers)[number];

export interface RolesServer extends NatsServer {
  /** Signed in as that user; the caller closes it. */
  connect(user: TestUser, options?: Partial<ConnectionOptions>): Promise<Connection>;
  /** For a configuration file of that user. */
  settingsOf(user: TestUser): { readonly nkeyFile: string; readonly inboxPrefix: string };
}

export async function startRolesServer(): Promise<RolesServer> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-keys-"));
  const seedFile = (user: TestUser): string => join(directory, `${user}.nk`);
  const key = async (user: TestUser): Promise<string> => writeNewKey(seedFile(user));
  const users: Record<TestUser, NatsUser> = {
    admin: { role: "admin", publicKey: await key("admin") },
    operator: { role: "operator", publicKey: await key("operator") },
    ci: { role: "ci", publicKey: await key("ci") },
    updater: { role: "updater", publicKey: await key("updater") },
    dashboard: { role: "dashboard", publicKey: await key("dashboard") },
    builder1: { role: "builder", name: parseBuilderName("b1"), publicKey: await key("builder1") },
    builder2: { role: "builder", name: parseBuilderName("b2"), publicKey: await key("builder2") },
    listener: { role: "listener", host: parseHostName("web1.lan"), publicKey: await key("listener") },
  };
  const version = await serverVersion();
  const server = await startNatsServer(({ port, storeDirectory }) =>
    serverConfig({
      listen: `127.0.0.1:${port}`,
      storeDirectory,
      maxFileStore: 10 * 1024 ** 3,
      serverVersion: version,
      users: Object.values(users),
    }),
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
  return {
    ...server,
    connect,
    settingsOf,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
