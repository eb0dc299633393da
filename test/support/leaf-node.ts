// A hub with JetStream and a leaf node of it without, with the accounts that `homelab-deploy nats config` prints.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { inboxPrefixOf, type NatsUser } from "../../src/bus/server/permissions.ts";
import { accountsFragment, serverConfig } from "../../src/bus/server/server-config.ts";
import { parseBuilderName } from "../../src/protocol/names.ts";
import { freePort } from "./free-port.ts";
import { connectTo, serverVersion, startNatsServer, type NatsServer } from "./nats-server.ts";

export type LeafUser = "admin" | "operator" | "builder";

export interface LeafLab extends AsyncDisposable {
  readonly hub: NatsServer;
  readonly leaf: NatsServer;
  /** To either of them; with the domain unless told otherwise. The caller closes it. */
  connect(server: NatsServer, user: LeafUser, domain?: string): Promise<Connection>;
}

export async function startLeafLab(domain: string): Promise<LeafLab> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-keys-"));
  const seedFile = (user: LeafUser): string => join(directory, `${user}.nk`);
  const key = async (user: LeafUser): Promise<string> => writeNewKey(seedFile(user));
  const users: Record<LeafUser, NatsUser> = {
    admin: { role: "admin", publicKey: await key("admin") },
    operator: { role: "operator", publicKey: await key("operator") },
    builder: { role: "builder", name: parseBuilderName("b1"), publicKey: await key("builder") },
  };
  const version = await serverVersion();
  const leafPort = await freePort();
  const all = Object.values(users);
  const hub = await startNatsServer(({ port, storeDirectory }) =>
    [
      serverConfig({
        listen: `127.0.0.1:${port}`,
        storeDirectory,
        maxFileStore: 10 * 1024 ** 3,
        serverVersion: version,
        users: all,
        domain,
      }),
      `leafnodes { listen: "127.0.0.1:${leafPort}", authorization { user: leaf, password: secret, account: HOMELAB } }`,
    ].join("\n"),
  );
  const leaf = await startNatsServer(({ port }) =>
    [
      `server_name: leaf\nlisten: "127.0.0.1:${port}"`,
      `accounts {\n${accountsFragment(all, domain)}}`,
      `leafnodes { remotes: [ { url: "nats://leaf:secret@127.0.0.1:${leafPort}", account: HOMELAB } ] }`,
    ].join("\n"),
  );
  return {
    hub,
    leaf,
    connect: async (server, user, jetstreamDomain) =>
      connectTo(server, {
        nkeyFile: seedFile(user),
        inboxPrefix: inboxPrefixOf(users[user]),
        name: user,
        jetstreamDomain,
      }),
    async [Symbol.asyncDispose]() {
      await leaf[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
