// Three nats-servers of one cluster, with exactly the configurations that `homelab-deploy nats config` prints.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { inboxPrefixOf, type NatsUser } from "../../src/bus/server/permissions.ts";
import { serverConfig } from "../../src/bus/server/server-config.ts";
import { checkStreams, setUpStreams } from "../../src/bus/server/setup.ts";
import { silentLog } from "../../src/base/log.ts";
import { connectNats, type Connection } from "../../src/bus/connect/connection.ts";
import { openManager } from "../../src/bus/jetstream-api.ts";
import { parseBuilderName } from "../../src/protocol/names.ts";
import { streams } from "../../src/protocol/subjects.ts";
import { freeListenerPort } from "./free-port.ts";
import { serverVersion, startNatsServer, type NatsServer } from "./nats-server.ts";
import type { HomelabServer } from "./start-homelab.ts";
import type { TestUser } from "./start-roles-server.ts";

type ClusterUser = Extract<TestUser, "admin" | "operator" | "builder1" | "builder2">;

export interface Cluster extends HomelabServer {
  readonly nodes: readonly NatsServer[];
  connect(user: ClusterUser): Promise<Connection>;
  /** The node that leads the event log: when it is killed, the others have to elect one. */
  leader(): Promise<NatsServer>;
  /** The node that leads JetStream itself: without one no stream and no consumer is created or gets a new leader. */
  metaLeader(): Promise<NatsServer>;
  /** The nodes that have a client of that name, such as `homelab-deploy builder`. */
  serversOf(client: string): Promise<readonly NatsServer[]>;
  /** All nodes run and have every message. */
  whenWhole(): Promise<void>;
}

/** The parts that we read of the monitoring pages. https://docs.nats.io/running-a-nats-service/nats_admin/monitoring */
const Jsz = v.object({ meta_cluster: v.optional(v.object({ leader: v.optional(v.string()) })) });
const Connz = v.object({ connections: v.array(v.object({ name: v.optional(v.string()) })) });

const names = ["n1", "n2", "n3"];
const patienceMs = 120_000;

/** @param replicas of the streams */
export async function startCluster(replicas = 3): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-keys-"));
  const seedFile = (user: string): string => join(directory, `${user}.nk`);
  const key = async (user: ClusterUser): Promise<string> => writeNewKey(seedFile(user));
  const users: Readonly<Record<ClusterUser, NatsUser>> = {
    admin: { role: "admin", publicKey: await key("admin") },
    operator: { role: "operator", publicKey: await key("operator") },
    builder1: { role: "builder", name: parseBuilderName("b1"), publicKey: await key("builder1") },
    builder2: { role: "builder", name: parseBuilderName("b2"), publicKey: await key("builder2") },
  };
  const version = await serverVersion();
  const routes = await Promise.all(names.map(async () => `127.0.0.1:${await freeListenerPort()}`));
  const pages = await Promise.all(names.map(async () => `127.0.0.1:${await freeListenerPort()}`));
  const nodes = await Promise.all(
    names.map(async (node, index) =>
      startNatsServer(({ port, storeDirectory }) =>
        serverConfig({
          listen: `127.0.0.1:${port}`,
          storeDirectory,
          maxFileStore: 10 * 1024 ** 3,
          serverVersion: version,
          users: Object.values(users),
          monitoring: pages[index],
          cluster: { cluster: "homelab", node, listen: routes[index] ?? "", routes },
        }),
      ),
    ),
  );
  const urls = nodes.map(({ url }) => url);
  const settingsOf = (user: TestUser) => {
    const identity = Object.entries(users).find(([name]) => name === user)?.[1];
    if (identity === undefined) throw new Error(`the cluster knows no ${user}`);
    return { nkeyFile: seedFile(user), inboxPrefix: inboxPrefixOf(identity) };
  };
  const connect = async (user: ClusterUser): Promise<Connection> =>
    connectNats(
      { servers: urls, name: user, role: "daemon", ...settingsOf(user) },
      silentLog,
      AbortSignal.timeout(patienceMs),
    );

  /** What is true some time, whatever is thrown before. */
  async function eventually<T>(ask: () => Promise<T | undefined>, describe = async () => ""): Promise<T> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      try {
        const answer = await ask();
        if (answer !== undefined) return answer;
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
      if (performance.now() > deadline)
        throw new Error(`the cluster does not become what it should be: ${await describe()}`);
      await sleep(200);
    }
  }

  const admin = await connect("admin");
  await eventually(async () => {
    await setUpStreams(admin, { replicas });
    const findings = await checkStreams(admin, replicas);
    return findings.every(({ state }) => state === "sound") ? true : undefined;
  });
  const infoOf = async (stream: string) => (await openManager(admin)).streams.info(stream);
  const describeStreams = async (): Promise<string> => {
    const infos = await Promise.all(Object.values(streams).map(infoOf));
    return JSON.stringify(infos.map(({ config, cluster }) => [config.name, cluster]));
  };
  /** Of one that does not run, nothing. */
  const pageOf = async <Schema extends v.GenericSchema>(index: number, path: string, schema: Schema) => {
    try {
      const response = await fetch(`http://${pages[index]}/${path}`);
      return v.parse(schema, await response.json());
    } catch {
      return undefined;
    }
  };
  return {
    nodes,
    urls,
    settingsOf,
    connect,
    leader: async () =>
      eventually(async () => {
        const { cluster } = await infoOf(streams.events);
        return nodes[names.indexOf(cluster?.leader ?? "")];
      }),
    metaLeader: async () =>
      eventually(async () => {
        const shown = await Promise.all(names.map(async (_, index) => pageOf(index, "jsz", Jsz)));
        const leaders = new Set(shown.flatMap((page) => page?.meta_cluster?.leader ?? []));
        // While they do not agree there is none.
        const [leader] = leaders.size === 1 ? leaders : [];
        return nodes[names.indexOf(leader ?? "")];
      }),
    async serversOf(client) {
      const shown = await Promise.all(names.map(async (_, index) => pageOf(index, "connz", Connz)));
      return nodes.filter((_, index) => shown[index]?.connections.some(({ name }) => name === client));
    },
    async whenWhole() {
      await eventually(async () => {
        const infos = await Promise.all(Object.values(streams).map(infoOf));
        const isWhole = infos.every(
          ({ cluster }) =>
            cluster?.replicas?.length === replicas - 1 &&
            cluster.replicas.every(({ current, offline }) => current && !offline),
        );
        return isWhole ? true : undefined;
      }, describeStreams);
    },
    async [Symbol.asyncDispose]() {
      await admin.close();
      await Promise.all(nodes.map(async (node) => node[Symbol.asyncDispose]()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
