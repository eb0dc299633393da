// A server of a release in which everybody shared one account: how it is found, and how it moves over.
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { inspectAccounts } from "../../src/bus/server/inspect-accounts.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import {
  inboxPrefixOf,
  permissionsMarker,
  permissionsOf,
  type NatsUser,
} from "../../src/bus/server/permissions.ts";
import { accountsFragment, serverConfig } from "../../src/bus/server/server-config.ts";
import { streamSettings } from "../../src/bus/server/stream-settings.ts";
import { checkStreams, isDispensable, requireSound, setUpStreams } from "../../src/bus/server/setup.ts";
import { openManager } from "../../src/bus/jetstream-api.ts";
import { parseBuilderName, parseRepoName } from "../../src/protocol/names.ts";
import { aBuildId, accepted, anEvent, aStatus, finished } from "../support/builds.ts";
import { connectTo, serverVersion, startNatsServer, type ServerPlace } from "../support/nats-server.ts";

const signal = AbortSignal.timeout(300_000);
const name = parseBuilderName("b1");

async function keysIn(directory: string) {
  const key = async (label: string): Promise<string> => writeNewKey(join(directory, `${label}.nk`));
  const users: readonly NatsUser[] = [
    { role: "admin", publicKey: await key("admin") },
    { role: "builder", name, publicKey: await key("builder") },
    { role: "operator", publicKey: await key("operator") },
  ];
  const signInOf = (role: "admin" | "builder" | "operator") => {
    const user = users.find((each) => each.role === role);
    if (user === undefined) throw new Error(`there is no ${role}`);
    return { nkeyFile: join(directory, `${role}.nk`), inboxPrefix: inboxPrefixOf(user), name: role };
  };
  return { users, signInOf };
}

const configurationOf = (
  users: readonly NatsUser[],
  version: string,
  { port, storeDirectory }: Pick<ServerPlace, "port" | "storeDirectory">,
): string =>
  serverConfig({
    listen: `127.0.0.1:${port}`,
    storeDirectory,
    maxFileStore: 10 * 1024 ** 3,
    serverVersion: version,
    users,
  });

/** As `nats config` printed it: everybody in HOMELAB, builders with the inboxes of those who ask. */
function singleAccount(configuration: string, users: readonly NatsUser[]): string {
  const list = (subjects: readonly string[]): string =>
    subjects.map((each) => JSON.stringify(each)).join(", ");
  const blocks = users.map((user) => {
    const { publish, subscribe } = permissionsOf(user);
    const answers = user.role === "builder" ? ["_INBOX_operator.>"] : [];
    const may = [...publish.filter((each) => each !== "_R_.>"), ...answers];
    const hears = subscribe.filter((each) => each !== permissionsMarker);
    return `{ nkey: ${user.publicKey}, permissions: { publish: { allow: [ ${list(may)} ] }, subscribe: { allow: [ ${list(hears)} ] } } }`;
  });
  const accounts = `accounts { SYS { users: [] }, HOMELAB { jetstream: enabled, users: [ ${blocks.join(",\n")} ] } }`;
  return configuration.replace(/^accounts \{$.*?^\}$/ms, () => accounts);
}

test("a server with one account is found, and moves over by a restart without losing a stream or a request", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-move-"));
  const { users, signInOf } = await keysIn(directory);
  const version = await serverVersion();
  try {
    await using server = await startNatsServer((place) =>
      singleAccount(configurationOf(users, version, place), users),
    );
    await using admin = await connectTo(server, { ...signInOf("admin"), role: "daemon" });
    await setUpStreams(admin);
    await using builder = await connectTo(server, { ...signInOf("builder"), role: "daemon" });
    await using operator = await connectTo(server, { ...signInOf("operator"), role: "daemon" });
    const [bus, reader] = [createBuilderBus(builder), createReader(operator)];
    const build = aBuildId();
    const log = await bus.openEventLog(build, [], signal);
    await log.append(anEvent(build, 0, accepted), signal);
    await reader.submit({ repo: parseRepoName("servers"), host: "all" }, { id: aBuildId() }, signal);
    const status = aStatus("b1", "2026-01-01T00:00:00.000Z");
    bus.answerStatus(name, () => status, signal);
    await builder.nats.flush();
    // The new release on the old configuration.
    expect(await reader.askBuilder(name, signal)).toEqual(status);
    for (const connection of [admin, builder, operator])
      expect(await inspectAccounts(connection)).toBe("shared");

    const moved = configurationOf(users, version, server);
    await server.kill();
    await server.configure(moved);
    await server.start();
    for (const connection of [admin, builder, operator]) {
      await connection.whenConnected(signal);
      await expect
        .poll(async () => inspectAccounts(connection).catch(() => "away"), { timeout: 30_000 })
        .toBe("separate");
    }
    expect(await reader.listBuilds(signal)).toEqual([build]);
    expect(await reader.queueLength(signal)).toBe(1);
    expect(await reader.askBuilder(name, signal)).toEqual(status);
    expect((await bus.nextRequest(signal))?.subject).toBe("build.servers.all");
    await log.append(anEvent(build, 1, finished), signal);
    expect((await reader.lastEvent(build, signal))?.type).toBe("finished");

    // From then on a reload is enough, for another user for example.
    const publicKey = await writeNewKey(join(directory, "ci.nk"));
    const ci: NatsUser = { role: "ci", publicKey };
    await server.configure(configurationOf([...users, ci], version, server));
    await server.reload();
    const signIn = { nkeyFile: join(directory, "ci.nk"), inboxPrefix: inboxPrefixOf(ci) };
    const pipeline = await vi.waitFor(async () => connectTo(server, signIn), { timeout: 30_000 });
    await using _ = pipeline;
    expect(await createReader(pipeline).listBuilds(signal)).toEqual([build]);
    expect(await reader.askBuilder(name, signal)).toEqual(status);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("the fragment is included beside the accounts of others, which can import nothing", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-fragment-"));
  const { users, signInOf } = await keysIn(directory);
  const beside =
    (more: string) =>
    ({ port, storeDirectory }: ServerPlace): string => {
      // The server looks for it beside its own file.
      writeFileSync(join(dirname(storeDirectory), "homelab-deploy-accounts.conf"), accountsFragment(users));
      return `listen: "127.0.0.1:${port}"
jetstream { store_dir: ${JSON.stringify(storeDirectory)}, max_file_store: ${10 * 1024 ** 3} }
accounts {
  include ./homelab-deploy-accounts.conf
  OTHERS { users: [ { user: them, password: them } ] ${more} }
}
`;
    };
  try {
    await using server = await startNatsServer(beside(""));
    await using admin = await connectTo(server, signInOf("admin"));
    await setUpStreams(admin);
    await using operator = await connectTo(server, signInOf("operator"));
    expect(await createReader(operator).listBuilds(signal)).toEqual([]);
    await using them = await connectTo(server, { password: { user: "them", password: "them" } });
    await expect(createReader(them).listBuilds(signal)).rejects.toMatchObject({ kind: "unavailable" });
    const thief = beside('imports: [ { service: { account: HOMELAB, subject: "build.>" } } ]');
    await expect(startNatsServer(thief)).rejects.toThrow(/ended before it listened/);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("with the permissions and streams of before the backlog, the rows and deploying, all works as it did", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-before-"));
  const { users, signInOf } = await keysIn(directory);
  const version = await serverVersion();
  const ofBefore = (configuration: string): string =>
    configuration
      .split("\n")
      .filter(
        (line) =>
          !/BACKLOG|build-backlog|KV[_.]results|deploy|DEPLOY|rollout|ROLLOUT|KV[_.](?:hosts|holds)/.test(
            line,
          ),
      )
      .join("\n");
  try {
    await using server = await startNatsServer((place) => ofBefore(configurationOf(users, version, place)));
    await using admin = await connectTo(server, { ...signInOf("admin"), role: "daemon" });
    await setUpStreams(admin);
    const manager = await openManager(admin);
    const later = streamSettings.filter(({ optional }) => optional === true);
    expect(later.length).toBeGreaterThan(5);
    for (const settings of later) await manager.streams.delete(settings.name);
    await using builder = await connectTo(server, { ...signInOf("builder"), role: "daemon" });
    await using operator = await connectTo(server, { ...signInOf("operator"), role: "command" });
    const [bus, reader] = [createBuilderBus(builder), createReader(operator)];
    const findings = await checkStreams(builder);
    expect(() => requireSound(findings.filter((finding) => !isDispensable(finding)))).not.toThrow();
    expect(await bus.openBacklog(signal)).toBeUndefined();

    // Even when a builder says that it has one, as after the restore of an older server.
    await bus.putStatus({ ...aStatus("b1", new Date().toISOString()), backlog: true }, signal);
    const batch = { id: aBuildId(), priority: "batch" as const };
    await reader.submit({ repo: parseRepoName("servers"), host: "all" }, batch, signal);
    expect(await reader.queueLength(signal)).toBe(1);
    expect((await bus.nextRequest(signal))?.subject).toBe("build.servers.all");
    expect((await reader.results.builds(signal)).size).toBe(0);
    expect(await reader.results.hosts(signal)).toEqual([]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
